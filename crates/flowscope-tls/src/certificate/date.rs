/// A time in seconds since 1970 as `2026-11-22T22:04:34`, in UTC.
pub(crate) fn iso_date_time(seconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

/// Year, month and day, so many days after 1970-01-01. The year begins in March here, so that the day
/// that comes every four years is its last, and eras of 400 years are alike.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + later, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let check = |seconds, text| assert_eq!(iso_date_time(seconds), text);
        check(0, "1970-01-01T00:00:00");
        check(-1, "1969-12-31T23:59:59");
        check(951_782_400, "2000-02-29T00:00:00");
        check(951_868_800, "2000-03-01T00:00:00");
        check(1_795_385_074, "2026-11-22T22:04:34");
        check(253_402_300_799, "9999-12-31T23:59:59");
        check(-631_152_000, "1950-01-01T00:00:00");
        // The day after each is the next one.
        let mut last = civil(-200_000);
        for days in -199_999..200_000 {
            let now = civil(days);
            let (y, m, d) = last;
            let next = [(y, m, d + 1), (y, m + 1, 1), (y + 1, 1, 1)];
            assert!(next.contains(&now) && now.1 <= 12 && now.2 <= 31, "{last:?} {now:?}");
            last = now;
        }
    }
}
