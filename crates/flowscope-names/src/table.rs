//! The table of names. A line is all that a name needs, beside its sample.

use flowscope_record::ByteSet;

use crate::named::{NamedProtocol, begins, datagram, stream, tcp, udp};
use crate::{
    database, industry, mail, media, messaging, peer, routing, rpc, storage, telemetry, terminal,
    vpn, windows,
};

const ANY: ByteSet = ByteSet::ALL;
const PORT: ByteSet = ByteSet::NONE;

const fn of(first_bytes: &[u8]) -> ByteSet {
    ByteSet::of(first_bytes)
}

const fn from(first: u8, last: u8) -> ByteSet {
    ByteSet::range(first, last)
}

/// All names, in the order in which they are probed.
#[rustfmt::skip]
pub static NAMES: &[NamedProtocol] = &[
    // Databases and brokers.
    tcp("amqp", &[5672], stream(of(b"A"), database::amqp), "AMQP 0-9-1 §4.2.2, AMQP 1.0 §2.2"),
    tcp("cassandra", &[9042], stream(from(3, 5), database::cassandra), "CQL native protocol v4 §2, §4.1"),
    tcp("elasticsearch", &[9300], stream(of(b"E"), database::elasticsearch), "Elasticsearch TcpHeader"),
    tcp("kafka", &[9092], stream(of(&[0]), database::kafka), "Kafka protocol guide, request header v1"),
    tcp("memcached", &[11211], stream(of(b"gsaripcdtv\x80\x81"), database::memcached), "memcached protocol.txt, binary protocol §2").or_port(),
    udp("memcached", &[11211], datagram(of(&[0]), database::memcached_datagram), "memcached protocol.txt, UDP protocol"),
    tcp("mongodb", &[27017], stream(ANY, database::mongodb), "MongoDB wire protocol, MsgHeader"),
    tcp("tds", &[1433], stream(of(&[0x10, 0x12]), database::tds), "MS-TDS §2.2.6.5, §2.2.6.4"),
    tcp("tns", &[1521], stream(from(0, 3), database::tns), "Oracle Net Services, TNS packet header"),
    tcp("zookeeper", &[2181], stream(of(&[0]), database::zookeeper), "ZooKeeper zookeeper.jute, ConnectRequest"),
    // Files and code.
    tcp("git", &[9418], stream(of(b"0"), storage::git), "Git protocol-pack, git transport"),
    tcp("rsync", &[873], begins(&[b"@RSYNCD: "]), "rsync csprotocol.txt"),
    tcp("svn", &[3690], begins(&[b"( success ( ", b"( 2 ( edit-pipeline ", b"( 2 ( ( edit-pipeline "]), "Subversion ra_svn protocol §2"),
    udp("tftp", &[69], datagram(of(&[0]), storage::tftp), "RFC 1350 §5, RFC 2347"),
    // Industry and buildings.
    udp("bacnet", &[47808], datagram(of(&[0x81]), industry::bacnet), "ASHRAE 135 annex J"),
    tcp("enip", &[44818], stream(of(&[0x04, 0x63, 0x64, 0x65, 0x66, 0x6f, 0x70]), industry::enip), "EtherNet/IP, CIP volume 2 §2-3"),
    udp("enip", &[44818], datagram(of(&[0x04, 0x63, 0x64]), industry::enip_datagram), "EtherNet/IP, CIP volume 2 §2-3"),
    tcp("iec60870", &[2404], stream(of(&[0x68]), industry::iec104), "IEC 60870-5-104 §5").or_port(),
    tcp("s7comm", &[102], stream(of(&[3]), industry::s7comm), "RFC 1006 §6, RFC 905 §13.3").or_port(),
    // Mail, news and chat.
    tcp("irc", &[6667], stream(of(b":NUPC"), mail::irc), "RFC 2812 §3.1"),
    tcp("jabber", &[5222, 5269], stream(of(b"<"), messaging::jabber), "RFC 6120 §4.2").zeek("xmpp"),
    tcp("nntp", &[119], stream(of(b"2MACITX"), mail::nntp), "RFC 3977 §5").or_port(),
    // Voice and video.
    tcp("rtmp", &[1935], stream(of(&[3]), media::rtmp), "Adobe RTMP 1.0 §5.2"),
    udp("rtcp", &[5005], datagram(from(0x80, 0xbf), media::rtcp), "RFC 3550 §6.1"),
    udp("rtp", &[5004], datagram(of(&[0x80]), media::rtp), "RFC 3550 §5.1, RFC 3551 §4.5").or_port(),
    tcp("rtsp", &[554, 8554], stream(of(b"ODSPTARG"), media::rtsp), "RFC 7826 §20.2, RFC 2326 §15"),
    tcp("stun", &[3478], stream(of(&[0, 1]), media::stun_stream), "RFC 8489 §5"),
    udp("stun", &[3478], datagram(of(&[0, 1]), media::stun), "RFC 8489 §5, RFC 3489 §11"),
    // Networks of equals.
    tcp("bitcoin", &[8333], stream(of(&[0xf9, 0x0b, 0xfa, 0x0a, 0x1c]), peer::bitcoin), "Bitcoin protocol documentation, message structure"),
    tcp("bittorrent", &[6881], begins(&[b"\x13BitTorrent protocol"]), "BEP 3"),
    udp("bittorrent", &[6771], datagram(of(b"\x41\0B"), peer::bittorrent), "BEP 29, BEP 15, BEP 14"),
    udp("bittorrent-dht", &[6881], datagram(of(b"d"), peer::bittorrent_dht), "BEP 5"),
    tcp("edonkey", &[4662], stream(of(&[0xe3]), peer::edonkey), "The eMule protocol specification §6.2, §6.4"),
    tcp("gnutella", &[6346], begins(&[b"GNUTELLA CONNECT/", b"GNUTELLA/0.6 "]), "Gnutella 0.6 §2.1"),
    // Proxies and private networks.
    udp("gtp", &[2123, 2152, 3386], datagram(PORT, vpn::gtp), "3GPP TS 29.060 §6, TS 29.274 §5.1"),
    udp("ike", &[500, 4500], datagram(PORT, vpn::ike), "RFC 7296 §3.1, RFC 2408 §3.1"),
    udp("ipsec", &[4500], datagram(PORT, vpn::ipsec), "RFC 3948 §2").or_port(),
    udp("l2tp", &[1701], datagram(of(&[0xc8]), vpn::l2tp), "RFC 2661 §3.1").or_port(),
    tcp("openvpn", &[1194], stream(of(&[0]), vpn::openvpn_stream), "OpenVPN network protocol, reset packets").or_port(),
    udp("openvpn", &[1194], datagram(of(&[0x38, 0x40, 0x50]), vpn::openvpn), "OpenVPN network protocol, reset packets").or_port(),
    tcp("pptp", &[1723], stream(of(&[0]), vpn::pptp), "RFC 2637 §2"),
    udp("wireguard", &[51820], datagram(from(1, 4), vpn::wireguard), "WireGuard §5.4"),
    // Routers.
    udp("bfd", &[3784, 3785, 4784], datagram(PORT, routing::bfd), "RFC 5880 §4.1"),
    tcp("bgp", &[179], stream(of(&[0xff]), routing::bgp), "RFC 4271 §4.1"),
    udp("hsrp", &[1985], datagram(PORT, routing::hsrp), "RFC 2281 §5.1"),
    // Terminals and screens.
    tcp("rfb", &[5900, 5901], begins(&[b"RFB 003.", b"RFB 004.", b"RFB 005."]), "RFC 6143 §7.1.1"),
    tcp("telnet", &[23], stream(of(&[0xff]), terminal::telnet), "RFC 854").or_port(),
    // Records of traffic and events.
    udp("netflow", &[2055, 4739, 9995, 9996], datagram(of(&[0]), telemetry::netflow), "RFC 3954 §5, RFC 7011 §3"),
    udp("sflow", &[6343], datagram(of(&[0]), telemetry::sflow), "sFlow version 5 §5"),
    tcp("syslog", &[514, 601], stream(of(b"<123456789"), telemetry::syslog_stream), "RFC 5424 §6, RFC 6587 §3.4").or_port(),
    udp("syslog", &[514], datagram(of(b"<"), telemetry::syslog_datagram), "RFC 5424 §6, RFC 3164 §4").or_port(),
    // Windows networks and remote calls.
    tcp("dcerpc", &[135], stream(of(&[5]), windows::dcerpc), "C706 §12.6.3.1").zeek("dce_rpc"),
    udp("dcerpc", &[135], datagram(of(&[4]), windows::dcerpc_datagram), "C706 §12.5.1").zeek("dce_rpc"),
    tcp("nfs", &[2049], stream(of(&[0x80]), rpc::nfs_stream), "RFC 5531 §9, RFC 1813 §2.1"),
    udp("nfs", &[2049], datagram(PORT, rpc::nfs), "RFC 5531 §9, RFC 1813 §2.1"),
    tcp("sunrpc", &[111], stream(of(&[0x80]), rpc::sunrpc_stream), "RFC 5531 §9, RFC 1833 §3"),
    udp("sunrpc", &[111], datagram(PORT, rpc::sunrpc), "RFC 5531 §9, RFC 1833 §3"),
    // Things and services.
    udp("coap", &[5683], datagram(from(0x40, 0x58), messaging::coap), "RFC 7252 §3"),
    udp("ssdp", &[1900], begins(&[b"M-SEARCH * HTTP/1.1\r\n", b"NOTIFY * HTTP/1.1\r\n", b"HTTP/1.1 200 OK\r\n"]), "UPnP device architecture 2.0 §1"),
];
