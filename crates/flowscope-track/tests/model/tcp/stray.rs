//! Segments and acknowledgements far ahead, in the model.

use super::*;

impl Flow {
    /// SEG-7
    pub(super) fn believe_stray(&mut self, x: FlowSide, tcp: &TcpInfo, changes: &mut Changes) {
        let y = !x;
        let Some(stray) = self.sides[y.index()].stray else { return };
        let peer = &mut self.sides[y.index()];
        if !tcp.flags.ack()
            || !acknowledges(tcp.ack, stray.start, stray.end)
            || d(stray.start, peer.next) <= 0
        {
            return;
        }
        peer.stray = None;
        let length = stray.end.wrapping_sub(stray.start) - u32::from(stray.fin);
        peer.stray_bytes = peer.stray_bytes.saturating_sub(length.into());
        changes.reached.push("segments far ahead were acknowledged");
        peer.add_hole(peer.next, stray.start);
        peer.next = stray.end;
        self.note_new_hole(y);
        if let Some(reset) = self.pending.take() {
            changes.anomalies.push((Anomaly::InvalidReset, reset.side));
        }
        let (own, peer) = self.pair(x);
        // FIN-2 and FIN-1, of the other side.
        if stray.fin {
            let fin = stray.end.wrapping_sub(1);
            if peer.fin.is_some_and(|fin| d(peer.next, fin.wrapping_add(1)) > 0)
                && !peer.fin_is_acknowledged(own)
            {
                self.sides[y.index()].fin = None;
                changes.anomalies.push((Anomaly::RetractedFin, y));
            }
            let (own, peer) = self.pair(x);
            let again = peer.fin == Some(fin);
            let goes_on = own.ack.is_some_and(|ack| d(ack, fin.wrapping_add(1)) > 0);
            if !again && (goes_on || peer.fin_is_acknowledged(own)) {
                changes.anomalies.push((Anomaly::InvalidFin, y));
            } else {
                self.sides[y.index()].fin = Some(fin);
                if self.sides[y.index()].letters.fin.replace(fin) != Some(fin) {
                    self.note(y, 'f');
                }
            }
        }
        let room = self.receive_window(x);
        let own = &mut self.sides[x.index()];
        if own.shown && stray.ack == Some(tcp.seq) && d(tcp.seq, own.next) > room {
            own.add_hole(own.next, tcp.seq);
            own.next = tcp.seq;
            self.note_new_hole(x);
            changes.reached.push("both sides were far ahead");
        }
    }

    /// FIN-4
    pub(super) fn withdraw_fin_ahead(
        &mut self,
        x: FlowSide,
        tcp: &TcpInfo,
        len: u32,
        changes: &mut Changes,
    ) {
        let fin = tcp.seq.wrapping_add(len);
        let (own, peer) = self.pair(x);
        let Some(ahead) = own.fin.filter(|_| tcp.flags.fin()) else { return };
        let is_hole = own.holes.iter().any(|(from, to)| *to == ahead && d(*from, fin) <= 0);
        let goes_on = peer.ack.is_some_and(|ack| d(ack, fin.wrapping_add(1)) > 0);
        if own.next != ahead.wrapping_add(1)
            || d(fin, ahead) >= 0
            || !is_hole
            || goes_on
            || own.fin_is_acknowledged(peer)
        {
            return;
        }
        let own = &mut self.sides[x.index()];
        own.fill(fin, ahead);
        own.next = fin;
        own.fin = None;
        changes.anomalies.push((Anomaly::RetractedFin, x));
        changes.reached.push("a FIN ahead was withdrawn");
    }

    /// ACK-3
    pub(super) fn forget_foreign_ack(&mut self, x: FlowSide, seq: u32) {
        let room = self.receive_window(x);
        let peer = &mut self.sides[(!x).index()];
        peer.ack.take_if(|ack| d(*ack, seq).abs() > room);
    }

    /// ACK-1
    pub(super) fn believe_ack(&mut self, x: FlowSide, tcp: &TcpInfo, changes: &mut Changes) {
        let room = self.receive_window(!x);
        let (own, peer) = self.pair(x);
        let newer = own.ack.is_none_or(|last| d(tcp.ack, last) > 0);
        let possible = !peer.shown || d(tcp.ack, peer.next) <= room;
        changes.far_ack = Some(!possible);
        let stale = own.ack.is_none() && peer.syn_seen && d(tcp.ack, peer.isn) <= 0;
        if !newer || !possible || stale {
            return;
        }
        let before = self.sides[x.index()].ack.replace(tcp.ack);
        // HIST-3
        let acknowledged = |ack: Option<u32>, from: u32| ack.is_some_and(|ack| d(ack, from) > 0);
        for (from, _) in self.sides[(!x).index()].holes.clone() {
            if acknowledged(Some(tcp.ack), from) && !acknowledged(before, from) {
                self.note_gap(!x);
            }
        }
        // FIN-2, of Y
        let peer = &mut self.sides[(!x).index()];
        if peer.fin.is_some_and(|fin| d(tcp.ack, fin.wrapping_add(1)) > 0) {
            peer.fin = None;
            changes.anomalies.push((Anomaly::RetractedFin, !x));
        }
    }
}
