//! Every attack, and twice as much of it, for valgrind: `--toggle-collect` and `--dump-after` with
//! [`counted`] give a file of counts for each line that is printed.

use flowscope::core::PacketView;
use flowscope::track::EndReason;
use flowscope_benches::traces::{self, Talk};
use flowscope_testkit::Packet;
use flowscope_testkit::attacks::timed;

use crate::Result;
use crate::attack::{AllProtocols, BATCH, driver};

/// Memory that the driver may take, in bytes: no attack of some thousand packets is stopped by it.
const BUDGET: usize = 64 << 20;

/// Prints `NAME PACKETS BYTES` for each part: ordinary short flows first, then every attack with so many packets and with twice
/// as many.
pub(crate) fn run(packets: usize) -> Result<()> {
    // HTTP, TLS and DNS: about seven packets in each flow.
    let trace = traces::short(Talk::All, 2 * packets / 7, packets / 7);
    let views: Vec<PacketView<'_>> = (0..trace.len()).map(|at| trace.view(at, 0)).collect();
    for half in [views.len() / 2, views.len()] {
        part("ordinary", &views[..half]);
    }
    for index in 0..timed(1).len() {
        for volume in [packets, 2 * packets] {
            let attack = timed(volume).swap_remove(index);
            let name = attack.slug();
            // Datagrams of 64 KiB are fewer.
            let mut room = 1500 * volume;
            let fits = |packet: &Packet| {
                let fits = room > 0;
                room = room.saturating_sub(packet.bytes.len());
                fits
            };
            let packets: Vec<Packet> = attack.packets.take(4 * volume).take_while(fits).collect();
            let views: Vec<PacketView<'_>> = packets.iter().map(Packet::view).collect();
            part(&name, &views);
        }
    }
    Ok(())
}

fn part(name: &str, views: &[PacketView<'_>]) {
    let mut driver = driver(BUDGET);
    counted(&mut driver, views);
    let bytes: usize = views.iter().map(|view| view.frame().len()).sum();
    println!("{name} {} {bytes}", views.len());
}

/// From the first packet to the end of the input. Its name is known to `cargo xtask trust`.
#[inline(never)]
fn counted(driver: &mut AllProtocols, views: &[PacketView<'_>]) {
    for batch in views.chunks(BATCH) {
        driver.handle_batch(batch);
        while driver.poll_event().is_some() {}
    }
    driver.finish(EndReason::EndOfInput);
    while driver.poll_event().is_some() {}
}
