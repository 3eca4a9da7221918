//! The time zone of text for reading.

use clap::Args;
use flowscope::core::Timestamp;
use flowscope::output::Zone;
use jiff::tz::TimeZone;

use crate::error::Failure;

/// Options of the commands that print times for reading.
#[derive(Args, Debug)]
pub(crate) struct ZoneArgs {
    /// Print times in UTC; this is the default
    #[arg(long, conflicts_with_all = ["local", "tz"])]
    utc: bool,

    /// Print times in the time zone of this machine
    #[arg(long, conflicts_with = "tz")]
    local: bool,

    /// Print times in this time zone, such as `Europe/Berlin`
    ///
    /// For tables and summaries. Formats for programs have UTC.
    #[arg(long, value_name = "NAME")]
    tz: Option<String>,
}

impl ZoneArgs {
    /// The zone. `for_reading` is whether the output is; other formats have UTC.
    pub(crate) fn zone(&self, for_reading: bool) -> Result<Zone, Failure> {
        if !self.local && self.tz.is_none() {
            return Ok(Zone::utc());
        }
        if !for_reading {
            let what = "--local and --tz are for tables: formats for programs have UTC";
            return Err(Failure::Usage(what.into()));
        }
        let zone = match &self.tz {
            Some(name) => TimeZone::get(name).map_err(|_| unknown(name))?,
            None => TimeZone::try_system().map_err(|error| {
                Failure::Usage(format!("--local: the time zone is not known: {error}"))
            })?,
        };
        let name = zone.iana_name().unwrap_or("local time").to_owned();
        Ok(Zone::new(&name, move |ts: Timestamp| {
            let secs = i64::try_from(ts.secs()).unwrap_or(i64::MAX);
            jiff::Timestamp::from_second(secs).map_or(0, |ts| zone.to_offset(ts).seconds())
        }))
    }
}

fn unknown(name: &str) -> Failure {
    Failure::Usage(format!(
        "--tz: no time zone is called `{name}`; the names are those below /usr/share/zoneinfo"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(tz: Option<&str>) -> ZoneArgs {
        ZoneArgs { utc: false, local: false, tz: tz.map(str::to_owned) }
    }

    #[test]
    fn zones_have_names() {
        assert!(args(None).zone(false).unwrap().is_utc());
        assert!(args(Some("Utopia/Capital")).zone(true).is_err());
        assert!(args(Some("../../etc/passwd")).zone(true).is_err());
        assert!(matches!(args(Some("UTC")).zone(false), Err(Failure::Usage(_))));
    }

    #[test]
    fn a_zone_has_its_summer_time() {
        // Machines without a database of time zones know no names.
        let Ok(zone) = args(Some("Europe/Berlin")).zone(true) else { return };
        let at = |secs| zone.to_the_second(Timestamp::from_secs(secs));
        assert_eq!(at(1_767_323_045), "2026-01-02 04:04:05");
        assert_eq!(at(1_782_961_445), "2026-07-02 05:04:05");
        assert_eq!(zone.name(), "Europe/Berlin");
    }
}
