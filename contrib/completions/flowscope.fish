# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_flowscope_global_optspecs
    string join \n h/help V/version
end

function __fish_flowscope_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_flowscope_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_flowscope_using_subcommand
    set -l cmd (__fish_flowscope_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c flowscope -n "__fish_flowscope_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flowscope -n "__fish_flowscope_needs_command" -s V -l version -d 'Print version'
complete -c flowscope -n "__fish_flowscope_needs_command" -f -a "flows" -d 'Print one record per flow: endpoints, packets, bytes, and how it ended'
complete -c flowscope -n "__fish_flowscope_needs_command" -f -a "sessions" -d 'Print one record per transaction, handshake or message of application protocols'
complete -c flowscope -n "__fish_flowscope_needs_command" -f -a "summary" -d 'Print what is in a capture on one screen: protocols, talkers, names, failures'
complete -c flowscope -n "__fish_flowscope_needs_command" -f -a "top" -d 'Print the addresses, servers or names of which there is most'
complete -c flowscope -n "__fish_flowscope_needs_command" -f -a "report" -d 'Write a page of a whole capture, as one HTML file that opens offline'
complete -c flowscope -n "__fish_flowscope_needs_command" -f -a "live" -d 'Show flows and names on the terminal as they come, from interfaces or a capture'
complete -c flowscope -n "__fish_flowscope_needs_command" -f -a "follow" -d 'Print the payload of one conversation, with gaps marked'
complete -c flowscope -n "__fish_flowscope_needs_command" -f -a "ladder" -d 'Draw one conversation packet by packet, with what was noteworthy'
complete -c flowscope -n "__fish_flowscope_needs_command" -f -a "extract" -d 'Write the packets of chosen flows to a capture'
complete -c flowscope -n "__fish_flowscope_needs_command" -f -a "split" -d 'Write the packets of each flow to a capture of its own'
complete -c flowscope -n "__fish_flowscope_needs_command" -f -a "events" -d 'Print all events of all flows, one JSON object per line'
complete -c flowscope -n "__fish_flowscope_needs_command" -f -a "merge" -d 'Put flow records of several captures or sensors together: one record for each connection'
complete -c flowscope -n "__fish_flowscope_needs_command" -f -a "query" -d 'Answer a question in SQL about captures, or about records in Parquet files'
complete -c flowscope -n "__fish_flowscope_needs_command" -f -a "collect" -d 'Write what sensors publish to NATS JetStream to Parquet files'
complete -c flowscope -n "__fish_flowscope_needs_command" -f -a "interfaces" -d 'List network interfaces, and whether this program may capture from them'
complete -c flowscope -n "__fish_flowscope_needs_command" -f -a "doctor" -d 'Check whether live capture works here, and which settings matter'
complete -c flowscope -n "__fish_flowscope_needs_command" -f -a "capture" -d 'Record packets of interfaces to files'
complete -c flowscope -n "__fish_flowscope_needs_command" -f -a "replay" -d 'Send the packets of a capture through an interface'
complete -c flowscope -n "__fish_flowscope_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l where -d 'Print only records for which this holds' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l fields -d 'Print only these fields, in this order' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l sort -d 'Sort by this field, by `-FIELD` in descending order' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -s n -l limit -d 'Print at most this many records' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l format -d 'Record format' -r -f -a "table\t'Aligned columns or one line per record, for reading'
eve\t'JSON lines with Suricata\'s field names, the last one with statistics. With -o syslog://HOST:PORT to a collector'
zeek\t'Zeek\'s logs, with tabs between the fields'
zeek-json\t'Zeek\'s logs as JSON lines'
csv\t'Comma-separated values, the first line names the columns'
json\t'JSON lines, one flat object per record with the column names of FORMATS.md'
parquet\t'Parquet files in --output-dir, by protocol and hour: COLUMNS.md. Needs the program `flowscope-parquet`'
arrow\t'Arrow batches to a NATS JetStream, with -o nats://HOST:PORT, --site and --spool: COLLECTORS.md. Needs the program `flowscope-nats`'
ipfix\t'IPFIX messages (RFC 7011) of flows: to a file, or with -o udp://HOST:PORT or tcp://HOST:PORT to a collector'"
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l tz -d 'Print times in this time zone, such as `Europe/Berlin`' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l output-dir -d 'Write each log to a file of its own in this directory, which is created if it does not exist. A log has its name from the beginning; an existing log is not overwritten' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l syslog-facility -d 'Facility of messages to -o syslog://HOST:PORT' -r -f -a "user\t''
daemon\t''
local0\t''
local1\t''
local2\t''
local3\t''
local4\t''
local5\t''
local6\t''
local7\t''"
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l site -d 'Name of this sensor: letters, digits, `-` and `_`. It is in the subject of each message' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l spool -d 'Directory for batches until the server has them. Those of an earlier run are sent first' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l spool-size -d 'Most bytes in the spool' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l spool-full -d 'Which batches to drop when the spool is full. Capture files are not read on before that, as long as the server takes a batch within 30 seconds' -r -f -a "oldest\t'The oldest in the spool'
newest\t'Those that come'"
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l run -d 'Name of this run over capture files. When the same command runs again under the same name, batches that the server or a collector has are not taken again' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l partitions -d 'Number of partitions, by Community ID, at most 1024' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l nats-stream -d 'Stream of the server. It is created if there is none of this name' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l nats-replicas -d 'Servers of a cluster that have a copy of a stream that is created, at most 5' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l nats-tlsca -d 'PEM file with the authorities that sign certificates of servers, instead of those of the system. TLS is required with it, as with a server tls://HOST:PORT' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l nats-tlscert -d 'PEM file with the certificate of this program, and with those between it and the authority. TLS is required with it' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l nats-tlskey -d 'PEM file with the private key of the certificate' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l nats-creds -d 'NATS credentials file: the JWT of a user, and its seed' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l nats-user -d 'User name' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l nats-password-file -d 'File with the password of the user' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l nats-token-file -d 'File with a token' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l protocol -d 'Print only flows that speak one of these protocols' -r -f -a "http\t''
http2\t''
websocket\t''
tls\t''
dtls\t''
dns\t''
mdns\t''
llmnr\t''
nbns\t''
quic\t''
ssh\t''
smtp\t''
dhcp\t''
dhcpv6\t''
ntp\t''
postgresql\t''
mysql\t''
ftp\t''
ftp-data\t''
pop3\t''
imap\t''
socks\t''
proxy\t''
sip\t''
mqtt\t''
redis\t''
snmp\t''
radius\t''
rdp\t''
ldap\t''
krb5\t''
modbus\t''
dnp3\t''
smb\t''
amqp\t''
bacnet\t''
bfd\t''
bgp\t''
bitcoin\t''
bittorrent\t''
bittorrent-dht\t''
cassandra\t''
coap\t''
dcerpc\t''
edonkey\t''
elasticsearch\t''
enip\t''
git\t''
gnutella\t''
gtp\t''
hsrp\t''
iec60870\t''
ike\t''
ipsec\t''
irc\t''
jabber\t''
kafka\t''
l2tp\t''
memcached\t''
mongodb\t''
netflow\t''
nfs\t''
nntp\t''
openvpn\t''
pptp\t''
rfb\t''
rsync\t''
rtcp\t''
rtmp\t''
rtp\t''
rtsp\t''
s7comm\t''
sflow\t''
ssdp\t''
stun\t''
sunrpc\t''
svn\t''
syslog\t''
tds\t''
telnet\t''
tftp\t''
tns\t''
wireguard\t''
zookeeper\t''"
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -s r -l read -d 'Capture file, as in tcpdump; the same as FILE without `-r`' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -s i -l interface -d 'Capture from this interface, not from a file' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l shunt -d 'Have the kernel count the packets of established TCP connections that no parser reads any more, of at most FLOWS at a time, and read only those that change more than counters. The records are the same. Not for `events`' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -s c -l count -d 'Stop after this many packets' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l duration -d 'Stop after this long (seconds, or like 5m, 300ms)' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -s s -l snap-len -d 'Most bytes captured of each packet [default: all]' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l ring -d 'Size of the capture ring of each interface [default: 32M]' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l timestamps -d 'Who takes the time of a packet. The clock of a card is not the system\'s unless it is synchronised; packets that the card does not stamp have the kernel\'s time [default: kernel]' -r -f -a "kernel\t'The kernel, when it receives the packet'
card\t'The network card'"
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l fanout -d 'Share the packets with all programs that use the same number; both directions of a flow go to the same program' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l rotate -d 'Complete the logs of --output-dir each time this long has passed, in UTC, such as 1h, or when one has this size, such as 100MiB. May be given twice' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l keep -d 'Keep only this many of the complete logs of each name, and delete older ones' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l metrics -d 'Answer Prometheus at this address, under /metrics' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l user -d 'Go on as this user when the capture is open. The directory of --output-dir is created as theirs; what is written is opened by them' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l config -d 'Take options from this TOML file, under their long names. Those of the command line win' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -s o -l output -d 'Write to this file instead of standard output' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l workers -d 'Number of threads that track flows, at most 16; the output does not depend on it [default: the number of processors, at most 4; 1 (no extra thread) for small input and live capture]' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -s f -l filter -d 'Process only packets that match, as in tcpdump' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l community-id-seed -d 'Seed of Community IDs, 0 to 65535. Programs whose IDs are to be equal must have the same one' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l max-flows -d 'Most flows in the table; beyond that the one idle for longest is evicted' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l memory -d 'Memory budget for flows, in bytes or with K, M or G (times 1024), at least 256K; beyond that flows are evicted' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l tcp-idle -d 'Idle timeout of TCP flows (seconds, or like 5m, 300ms)' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l udp-idle -d 'Idle timeout of UDP flows' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l other-idle -d 'Idle timeout of all other flows' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l active -l interim -d 'Print a record of an open flow each time this long has passed. Packets and bytes of a record are then those since the previous record of the flow' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l linger -d 'Keep a closed TCP connection for this long, so that late packets are counted in its record, which is written then' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l eviction -d 'Which flow to evict when the table is full' -r -f -a "oldest\t'The flow idle for longest'
half-open-first\t'The same, but connections that were never established first'"
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l resets -d 'Which TCP resets end a flow' -r -f -a "in-sequence\t'Those with a sequence number that the receiver would accept'
any\t'All'"
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l checksums -d 'What to do with wrong checksums. A checksum that is left to the network card of the sender never counts as wrong' -r -f -a "off\t'Do not verify checksums'
count\t'Count wrong checksums'
exclude\t'Count the packet in its flow, and ignore its flags and payload'"
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l overlap -d 'Which bytes to use where TCP segments overlap and differ, as hosts of this kind do' -r -f -a "first\t'Those that arrived first'
last\t'Those that arrived last'
bsd\t'As in BSD'
linux\t'As in Linux'"
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l observation-domain -d 'Id of the observation domain in each message' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l enterprise-number -d 'Private enterprise number of elements that IANA does not have; the default is the one for examples' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l utc -d 'Print times in UTC; this is the default'
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l local -d 'Print times in the time zone of this machine'
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l wide -d 'Show all columns, however wide the terminal is'
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -s p -l promiscuous -d 'Also receive packets that are not addressed to the interface. The `-p` of tcpdump is the opposite'
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -s q -l quiet -d 'Print only errors on standard error'
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l no-pager -d 'Do not show the output in a pager'
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l vlan-key -d 'Keep flows of different VLANs and virtual networks apart: VLAN, VXLAN, GENEVE, NVGRE and PBB identifiers, ERSPAN and PPPoE sessions. Not for captures that see the two directions of a flow in different ones'
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -l ethernet -d 'Keep the Ethernet addresses of flows: in EVE\'s object `ether`, at most 10 of each side. Each flow then takes up to 2 KiB more of --memory'
complete -c flowscope -n "__fish_flowscope_using_subcommand flows" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l where -d 'Print only records for which this holds' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l fields -d 'Print only these fields, in this order' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l sort -d 'Sort by this field, by `-FIELD` in descending order' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -s n -l limit -d 'Print at most this many records' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l format -d 'Record format' -r -f -a "table\t'Aligned columns or one line per record, for reading'
eve\t'JSON lines with Suricata\'s field names, the last one with statistics. With -o syslog://HOST:PORT to a collector'
zeek\t'Zeek\'s logs, with tabs between the fields'
zeek-json\t'Zeek\'s logs as JSON lines'
csv\t'Comma-separated values, the first line names the columns'
json\t'JSON lines, one flat object per record with the column names of FORMATS.md'
parquet\t'Parquet files in --output-dir, by protocol and hour: COLUMNS.md. Needs the program `flowscope-parquet`'
arrow\t'Arrow batches to a NATS JetStream, with -o nats://HOST:PORT, --site and --spool: COLLECTORS.md. Needs the program `flowscope-nats`'
ipfix\t'IPFIX messages (RFC 7011) of flows: to a file, or with -o udp://HOST:PORT or tcp://HOST:PORT to a collector'"
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l tz -d 'Print times in this time zone, such as `Europe/Berlin`' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l output-dir -d 'Write each log to a file of its own in this directory, which is created if it does not exist. A log has its name from the beginning; an existing log is not overwritten' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l syslog-facility -d 'Facility of messages to -o syslog://HOST:PORT' -r -f -a "user\t''
daemon\t''
local0\t''
local1\t''
local2\t''
local3\t''
local4\t''
local5\t''
local6\t''
local7\t''"
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l site -d 'Name of this sensor: letters, digits, `-` and `_`. It is in the subject of each message' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l spool -d 'Directory for batches until the server has them. Those of an earlier run are sent first' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l spool-size -d 'Most bytes in the spool' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l spool-full -d 'Which batches to drop when the spool is full. Capture files are not read on before that, as long as the server takes a batch within 30 seconds' -r -f -a "oldest\t'The oldest in the spool'
newest\t'Those that come'"
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l run -d 'Name of this run over capture files. When the same command runs again under the same name, batches that the server or a collector has are not taken again' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l partitions -d 'Number of partitions, by Community ID, at most 1024' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l nats-stream -d 'Stream of the server. It is created if there is none of this name' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l nats-replicas -d 'Servers of a cluster that have a copy of a stream that is created, at most 5' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l nats-tlsca -d 'PEM file with the authorities that sign certificates of servers, instead of those of the system. TLS is required with it, as with a server tls://HOST:PORT' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l nats-tlscert -d 'PEM file with the certificate of this program, and with those between it and the authority. TLS is required with it' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l nats-tlskey -d 'PEM file with the private key of the certificate' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l nats-creds -d 'NATS credentials file: the JWT of a user, and its seed' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l nats-user -d 'User name' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l nats-password-file -d 'File with the password of the user' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l nats-token-file -d 'File with a token' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l protocol -d 'Print only records of these protocols' -r -f -a "http\t''
http2\t''
websocket\t''
tls\t''
dtls\t''
dns\t''
mdns\t''
llmnr\t''
nbns\t''
quic\t''
ssh\t''
smtp\t''
dhcp\t''
dhcpv6\t''
ntp\t''
postgresql\t''
mysql\t''
ftp\t''
ftp-data\t''
pop3\t''
imap\t''
socks\t''
proxy\t''
sip\t''
mqtt\t''
redis\t''
snmp\t''
radius\t''
rdp\t''
ldap\t''
krb5\t''
modbus\t''
dnp3\t''
smb\t''"
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l extract -d 'Write bodies of HTTP, files in forms, parts of mails, and files of FTP and SMB to this directory' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l max-file-size -d 'Write at most this much of one file with --extract' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l max-total -d 'Write at most this much with --extract' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l max-files -d 'Write at most this many files with --extract' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l keylog -d 'Decrypt TLS with the secrets of this key log, as SSLKEYLOGFILE makes browsers and curl write it' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -s r -l read -d 'Capture file, as in tcpdump; the same as FILE without `-r`' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -s i -l interface -d 'Capture from this interface, not from a file' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l shunt -d 'Have the kernel count the packets of established TCP connections that no parser reads any more, of at most FLOWS at a time, and read only those that change more than counters. The records are the same. Not for `events`' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -s c -l count -d 'Stop after this many packets' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l duration -d 'Stop after this long (seconds, or like 5m, 300ms)' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -s s -l snap-len -d 'Most bytes captured of each packet [default: all]' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l ring -d 'Size of the capture ring of each interface [default: 32M]' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l timestamps -d 'Who takes the time of a packet. The clock of a card is not the system\'s unless it is synchronised; packets that the card does not stamp have the kernel\'s time [default: kernel]' -r -f -a "kernel\t'The kernel, when it receives the packet'
card\t'The network card'"
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l fanout -d 'Share the packets with all programs that use the same number; both directions of a flow go to the same program' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l rotate -d 'Complete the logs of --output-dir each time this long has passed, in UTC, such as 1h, or when one has this size, such as 100MiB. May be given twice' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l keep -d 'Keep only this many of the complete logs of each name, and delete older ones' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l metrics -d 'Answer Prometheus at this address, under /metrics' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l user -d 'Go on as this user when the capture is open. The directory of --output-dir is created as theirs; what is written is opened by them' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l config -d 'Take options from this TOML file, under their long names. Those of the command line win' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -s o -l output -d 'Write to this file instead of standard output' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l workers -d 'Number of threads that track flows, at most 16; the output does not depend on it [default: the number of processors, at most 4; 1 (no extra thread) for small input and live capture]' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -s f -l filter -d 'Process only packets that match, as in tcpdump' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l community-id-seed -d 'Seed of Community IDs, 0 to 65535. Programs whose IDs are to be equal must have the same one' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l max-flows -d 'Most flows in the table; beyond that the one idle for longest is evicted' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l memory -d 'Memory budget for flows, in bytes or with K, M or G (times 1024), at least 256K; beyond that flows are evicted' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l tcp-idle -d 'Idle timeout of TCP flows (seconds, or like 5m, 300ms)' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l udp-idle -d 'Idle timeout of UDP flows' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l other-idle -d 'Idle timeout of all other flows' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l active -l interim -d 'Print a record of an open flow each time this long has passed. Packets and bytes of a record are then those since the previous record of the flow' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l linger -d 'Keep a closed TCP connection for this long, so that late packets are counted in its record, which is written then' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l eviction -d 'Which flow to evict when the table is full' -r -f -a "oldest\t'The flow idle for longest'
half-open-first\t'The same, but connections that were never established first'"
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l resets -d 'Which TCP resets end a flow' -r -f -a "in-sequence\t'Those with a sequence number that the receiver would accept'
any\t'All'"
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l checksums -d 'What to do with wrong checksums. A checksum that is left to the network card of the sender never counts as wrong' -r -f -a "off\t'Do not verify checksums'
count\t'Count wrong checksums'
exclude\t'Count the packet in its flow, and ignore its flags and payload'"
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l overlap -d 'Which bytes to use where TCP segments overlap and differ, as hosts of this kind do' -r -f -a "first\t'Those that arrived first'
last\t'Those that arrived last'
bsd\t'As in BSD'
linux\t'As in Linux'"
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l utc -d 'Print times in UTC; this is the default'
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l local -d 'Print times in the time zone of this machine'
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l wide -d 'Do not shorten lines to the width of the terminal'
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l file-info -d 'Find out the type and SHA-256 of files: bodies and forms of HTTP, parts of mails, files of FTP and SMB'
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -s p -l promiscuous -d 'Also receive packets that are not addressed to the interface. The `-p` of tcpdump is the opposite'
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -s q -l quiet -d 'Print only errors on standard error'
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l no-pager -d 'Do not show the output in a pager'
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l vlan-key -d 'Keep flows of different VLANs and virtual networks apart: VLAN, VXLAN, GENEVE, NVGRE and PBB identifiers, ERSPAN and PPPoE sessions. Not for captures that see the two directions of a flow in different ones'
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -l ethernet -d 'Keep the Ethernet addresses of flows: in EVE\'s object `ether`, at most 10 of each side. Each flow then takes up to 2 KiB more of --memory'
complete -c flowscope -n "__fish_flowscope_using_subcommand sessions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -l where -d 'Count only flows for which this holds, and what is said in them' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -l format -d 'Format of the answer' -r -f -a "table\t'For reading'
json\t'JSON lines, with exact numbers'"
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -l tz -d 'Print times in this time zone, such as `Europe/Berlin`' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -l keylog -d 'Decrypt TLS with the secrets of this key log, as SSLKEYLOGFILE makes browsers and curl write it' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -s r -l read -d 'Capture file, as in tcpdump; the same as FILE without `-r`' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -s i -l interface -d 'Capture from this interface, not from a file' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -l shunt -d 'Have the kernel count the packets of established TCP connections that no parser reads any more, of at most FLOWS at a time, and read only those that change more than counters. The records are the same. Not for `events`' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -s c -l count -d 'Stop after this many packets' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -l duration -d 'Stop after this long (seconds, or like 5m, 300ms)' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -s s -l snap-len -d 'Most bytes captured of each packet [default: all]' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -l ring -d 'Size of the capture ring of each interface [default: 32M]' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -l timestamps -d 'Who takes the time of a packet. The clock of a card is not the system\'s unless it is synchronised; packets that the card does not stamp have the kernel\'s time [default: kernel]' -r -f -a "kernel\t'The kernel, when it receives the packet'
card\t'The network card'"
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -l fanout -d 'Share the packets with all programs that use the same number; both directions of a flow go to the same program' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -l rotate -d 'Complete the logs of --output-dir each time this long has passed, in UTC, such as 1h, or when one has this size, such as 100MiB. May be given twice' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -l keep -d 'Keep only this many of the complete logs of each name, and delete older ones' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -l metrics -d 'Answer Prometheus at this address, under /metrics' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -l user -d 'Go on as this user when the capture is open. The directory of --output-dir is created as theirs; what is written is opened by them' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -l config -d 'Take options from this TOML file, under their long names. Those of the command line win' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -s o -l output -d 'Write to this file instead of standard output' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -l workers -d 'Number of threads that track flows, at most 16; the output does not depend on it [default: the number of processors, at most 4; 1 (no extra thread) for small input and live capture]' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -s f -l filter -d 'Process only packets that match, as in tcpdump' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -l community-id-seed -d 'Seed of Community IDs, 0 to 65535. Programs whose IDs are to be equal must have the same one' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -l max-flows -d 'Most flows in the table; beyond that the one idle for longest is evicted' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -l memory -d 'Memory budget for flows, in bytes or with K, M or G (times 1024), at least 256K; beyond that flows are evicted' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -l tcp-idle -d 'Idle timeout of TCP flows (seconds, or like 5m, 300ms)' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -l udp-idle -d 'Idle timeout of UDP flows' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -l other-idle -d 'Idle timeout of all other flows' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -l active -l interim -d 'Print a record of an open flow each time this long has passed. Packets and bytes of a record are then those since the previous record of the flow' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -l linger -d 'Keep a closed TCP connection for this long, so that late packets are counted in its record, which is written then' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -l eviction -d 'Which flow to evict when the table is full' -r -f -a "oldest\t'The flow idle for longest'
half-open-first\t'The same, but connections that were never established first'"
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -l resets -d 'Which TCP resets end a flow' -r -f -a "in-sequence\t'Those with a sequence number that the receiver would accept'
any\t'All'"
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -l checksums -d 'What to do with wrong checksums. A checksum that is left to the network card of the sender never counts as wrong' -r -f -a "off\t'Do not verify checksums'
count\t'Count wrong checksums'
exclude\t'Count the packet in its flow, and ignore its flags and payload'"
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -l overlap -d 'Which bytes to use where TCP segments overlap and differ, as hosts of this kind do' -r -f -a "first\t'Those that arrived first'
last\t'Those that arrived last'
bsd\t'As in BSD'
linux\t'As in Linux'"
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -l utc -d 'Print times in UTC; this is the default'
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -l local -d 'Print times in the time zone of this machine'
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -s p -l promiscuous -d 'Also receive packets that are not addressed to the interface. The `-p` of tcpdump is the opposite'
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -s q -l quiet -d 'Print only errors on standard error'
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -l no-pager -d 'Do not show the output in a pager'
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -l vlan-key -d 'Keep flows of different VLANs and virtual networks apart: VLAN, VXLAN, GENEVE, NVGRE and PBB identifiers, ERSPAN and PPPoE sessions. Not for captures that see the two directions of a flow in different ones'
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -l ethernet -d 'Keep the Ethernet addresses of flows: in EVE\'s object `ether`, at most 10 of each side. Each flow then takes up to 2 KiB more of --memory'
complete -c flowscope -n "__fish_flowscope_using_subcommand summary" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -l by -d 'What hosts, servers or names are ranked by' -r -f -a "bytes\t'Addresses by the bytes of their flows'
packets\t'Addresses by the packets of their flows'
flows\t'Addresses by the number of their flows'
rtt\t'Servers by the mean time from SYN to SYN+ACK'
retransmits\t'Addresses by the segments that they sent again'
sni\t'Names in TLS and QUIC handshakes'
host\t'Names in requests of HTTP/1.x and HTTP/2'
query\t'Names in queries of DNS, mDNS and LLMNR'"
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -s n -l limit -d 'Print at most this many' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -l where -d 'Count only flows for which this holds, and what is said in them' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -l format -d 'Format of the answer' -r -f -a "table\t'For reading'
json\t'JSON lines, with exact numbers'"
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -l keylog -d 'Decrypt TLS with the secrets of this key log, as SSLKEYLOGFILE makes browsers and curl write it' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -s r -l read -d 'Capture file, as in tcpdump; the same as FILE without `-r`' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -s i -l interface -d 'Capture from this interface, not from a file' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -l shunt -d 'Have the kernel count the packets of established TCP connections that no parser reads any more, of at most FLOWS at a time, and read only those that change more than counters. The records are the same. Not for `events`' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -s c -l count -d 'Stop after this many packets' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -l duration -d 'Stop after this long (seconds, or like 5m, 300ms)' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -s s -l snap-len -d 'Most bytes captured of each packet [default: all]' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -l ring -d 'Size of the capture ring of each interface [default: 32M]' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -l timestamps -d 'Who takes the time of a packet. The clock of a card is not the system\'s unless it is synchronised; packets that the card does not stamp have the kernel\'s time [default: kernel]' -r -f -a "kernel\t'The kernel, when it receives the packet'
card\t'The network card'"
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -l fanout -d 'Share the packets with all programs that use the same number; both directions of a flow go to the same program' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -l rotate -d 'Complete the logs of --output-dir each time this long has passed, in UTC, such as 1h, or when one has this size, such as 100MiB. May be given twice' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -l keep -d 'Keep only this many of the complete logs of each name, and delete older ones' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -l metrics -d 'Answer Prometheus at this address, under /metrics' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -l user -d 'Go on as this user when the capture is open. The directory of --output-dir is created as theirs; what is written is opened by them' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -l config -d 'Take options from this TOML file, under their long names. Those of the command line win' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -s o -l output -d 'Write to this file instead of standard output' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -l workers -d 'Number of threads that track flows, at most 16; the output does not depend on it [default: the number of processors, at most 4; 1 (no extra thread) for small input and live capture]' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -s f -l filter -d 'Process only packets that match, as in tcpdump' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -l community-id-seed -d 'Seed of Community IDs, 0 to 65535. Programs whose IDs are to be equal must have the same one' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -l max-flows -d 'Most flows in the table; beyond that the one idle for longest is evicted' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -l memory -d 'Memory budget for flows, in bytes or with K, M or G (times 1024), at least 256K; beyond that flows are evicted' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -l tcp-idle -d 'Idle timeout of TCP flows (seconds, or like 5m, 300ms)' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -l udp-idle -d 'Idle timeout of UDP flows' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -l other-idle -d 'Idle timeout of all other flows' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -l active -l interim -d 'Print a record of an open flow each time this long has passed. Packets and bytes of a record are then those since the previous record of the flow' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -l linger -d 'Keep a closed TCP connection for this long, so that late packets are counted in its record, which is written then' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -l eviction -d 'Which flow to evict when the table is full' -r -f -a "oldest\t'The flow idle for longest'
half-open-first\t'The same, but connections that were never established first'"
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -l resets -d 'Which TCP resets end a flow' -r -f -a "in-sequence\t'Those with a sequence number that the receiver would accept'
any\t'All'"
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -l checksums -d 'What to do with wrong checksums. A checksum that is left to the network card of the sender never counts as wrong' -r -f -a "off\t'Do not verify checksums'
count\t'Count wrong checksums'
exclude\t'Count the packet in its flow, and ignore its flags and payload'"
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -l overlap -d 'Which bytes to use where TCP segments overlap and differ, as hosts of this kind do' -r -f -a "first\t'Those that arrived first'
last\t'Those that arrived last'
bsd\t'As in BSD'
linux\t'As in Linux'"
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -s p -l promiscuous -d 'Also receive packets that are not addressed to the interface. The `-p` of tcpdump is the opposite'
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -s q -l quiet -d 'Print only errors on standard error'
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -l no-pager -d 'Do not show the output in a pager'
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -l vlan-key -d 'Keep flows of different VLANs and virtual networks apart: VLAN, VXLAN, GENEVE, NVGRE and PBB identifiers, ERSPAN and PPPoE sessions. Not for captures that see the two directions of a flow in different ones'
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -l ethernet -d 'Keep the Ethernet addresses of flows: in EVE\'s object `ether`, at most 10 of each side. Each flow then takes up to 2 KiB more of --memory'
complete -c flowscope -n "__fish_flowscope_using_subcommand top" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -l keylog -d 'Decrypt TLS with the secrets of this key log, as SSLKEYLOGFILE makes browsers and curl write it' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -s r -l read -d 'Capture file, as in tcpdump; the same as FILE without `-r`' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -s i -l interface -d 'Capture from this interface, not from a file' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -l shunt -d 'Have the kernel count the packets of established TCP connections that no parser reads any more, of at most FLOWS at a time, and read only those that change more than counters. The records are the same. Not for `events`' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -s c -l count -d 'Stop after this many packets' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -l duration -d 'Stop after this long (seconds, or like 5m, 300ms)' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -s s -l snap-len -d 'Most bytes captured of each packet [default: all]' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -l ring -d 'Size of the capture ring of each interface [default: 32M]' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -l timestamps -d 'Who takes the time of a packet. The clock of a card is not the system\'s unless it is synchronised; packets that the card does not stamp have the kernel\'s time [default: kernel]' -r -f -a "kernel\t'The kernel, when it receives the packet'
card\t'The network card'"
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -l fanout -d 'Share the packets with all programs that use the same number; both directions of a flow go to the same program' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -l rotate -d 'Complete the logs of --output-dir each time this long has passed, in UTC, such as 1h, or when one has this size, such as 100MiB. May be given twice' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -l keep -d 'Keep only this many of the complete logs of each name, and delete older ones' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -l metrics -d 'Answer Prometheus at this address, under /metrics' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -l user -d 'Go on as this user when the capture is open. The directory of --output-dir is created as theirs; what is written is opened by them' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -l config -d 'Take options from this TOML file, under their long names. Those of the command line win' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -s o -l output -d 'Write to this file instead of standard output' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -l workers -d 'Number of threads that track flows, at most 16; the output does not depend on it [default: the number of processors, at most 4; 1 (no extra thread) for small input and live capture]' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -s f -l filter -d 'Process only packets that match, as in tcpdump' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -l community-id-seed -d 'Seed of Community IDs, 0 to 65535. Programs whose IDs are to be equal must have the same one' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -l max-flows -d 'Most flows in the table; beyond that the one idle for longest is evicted' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -l memory -d 'Memory budget for flows, in bytes or with K, M or G (times 1024), at least 256K; beyond that flows are evicted' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -l tcp-idle -d 'Idle timeout of TCP flows (seconds, or like 5m, 300ms)' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -l udp-idle -d 'Idle timeout of UDP flows' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -l other-idle -d 'Idle timeout of all other flows' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -l active -l interim -d 'Print a record of an open flow each time this long has passed. Packets and bytes of a record are then those since the previous record of the flow' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -l linger -d 'Keep a closed TCP connection for this long, so that late packets are counted in its record, which is written then' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -l eviction -d 'Which flow to evict when the table is full' -r -f -a "oldest\t'The flow idle for longest'
half-open-first\t'The same, but connections that were never established first'"
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -l resets -d 'Which TCP resets end a flow' -r -f -a "in-sequence\t'Those with a sequence number that the receiver would accept'
any\t'All'"
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -l checksums -d 'What to do with wrong checksums. A checksum that is left to the network card of the sender never counts as wrong' -r -f -a "off\t'Do not verify checksums'
count\t'Count wrong checksums'
exclude\t'Count the packet in its flow, and ignore its flags and payload'"
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -l overlap -d 'Which bytes to use where TCP segments overlap and differ, as hosts of this kind do' -r -f -a "first\t'Those that arrived first'
last\t'Those that arrived last'
bsd\t'As in BSD'
linux\t'As in Linux'"
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -s p -l promiscuous -d 'Also receive packets that are not addressed to the interface. The `-p` of tcpdump is the opposite'
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -s q -l quiet -d 'Print only errors on standard error'
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -l no-pager -d 'Do not show the output in a pager'
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -l vlan-key -d 'Keep flows of different VLANs and virtual networks apart: VLAN, VXLAN, GENEVE, NVGRE and PBB identifiers, ERSPAN and PPPoE sessions. Not for captures that see the two directions of a flow in different ones'
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -l ethernet -d 'Keep the Ethernet addresses of flows: in EVE\'s object `ether`, at most 10 of each side. Each flow then takes up to 2 KiB more of --memory'
complete -c flowscope -n "__fish_flowscope_using_subcommand report" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -l where -d 'Show only flows for which this holds, until another filter is typed' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -l speed -d 'How fast a capture file is played: so many times as fast as its packets came, or `max`' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -l tz -d 'Print times in this time zone, such as `Europe/Berlin`' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -l keylog -d 'Decrypt TLS with the secrets of this key log, as SSLKEYLOGFILE makes browsers and curl write it' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -s r -l read -d 'Capture file, as in tcpdump; the same as FILE without `-r`' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -s i -l interface -d 'Capture from this interface, not from a file' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -l shunt -d 'Have the kernel count the packets of established TCP connections that no parser reads any more, of at most FLOWS at a time, and read only those that change more than counters. The records are the same. Not for `events`' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -s c -l count -d 'Stop after this many packets' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -l duration -d 'Stop after this long (seconds, or like 5m, 300ms)' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -s s -l snap-len -d 'Most bytes captured of each packet [default: all]' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -l ring -d 'Size of the capture ring of each interface [default: 32M]' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -l timestamps -d 'Who takes the time of a packet. The clock of a card is not the system\'s unless it is synchronised; packets that the card does not stamp have the kernel\'s time [default: kernel]' -r -f -a "kernel\t'The kernel, when it receives the packet'
card\t'The network card'"
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -l fanout -d 'Share the packets with all programs that use the same number; both directions of a flow go to the same program' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -l rotate -d 'Complete the logs of --output-dir each time this long has passed, in UTC, such as 1h, or when one has this size, such as 100MiB. May be given twice' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -l keep -d 'Keep only this many of the complete logs of each name, and delete older ones' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -l metrics -d 'Answer Prometheus at this address, under /metrics' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -l user -d 'Go on as this user when the capture is open. The directory of --output-dir is created as theirs; what is written is opened by them' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -l config -d 'Take options from this TOML file, under their long names. Those of the command line win' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -s o -l output -d 'Write to this file instead of standard output' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -l workers -d 'Number of threads that track flows, at most 16; the output does not depend on it [default: the number of processors, at most 4; 1 (no extra thread) for small input and live capture]' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -s f -l filter -d 'Process only packets that match, as in tcpdump' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -l community-id-seed -d 'Seed of Community IDs, 0 to 65535. Programs whose IDs are to be equal must have the same one' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -l max-flows -d 'Most flows in the table; beyond that the one idle for longest is evicted' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -l memory -d 'Memory budget for flows, in bytes or with K, M or G (times 1024), at least 256K; beyond that flows are evicted' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -l tcp-idle -d 'Idle timeout of TCP flows (seconds, or like 5m, 300ms)' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -l udp-idle -d 'Idle timeout of UDP flows' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -l other-idle -d 'Idle timeout of all other flows' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -l active -l interim -d 'Print a record of an open flow each time this long has passed. Packets and bytes of a record are then those since the previous record of the flow' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -l linger -d 'Keep a closed TCP connection for this long, so that late packets are counted in its record, which is written then' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -l eviction -d 'Which flow to evict when the table is full' -r -f -a "oldest\t'The flow idle for longest'
half-open-first\t'The same, but connections that were never established first'"
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -l resets -d 'Which TCP resets end a flow' -r -f -a "in-sequence\t'Those with a sequence number that the receiver would accept'
any\t'All'"
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -l checksums -d 'What to do with wrong checksums. A checksum that is left to the network card of the sender never counts as wrong' -r -f -a "off\t'Do not verify checksums'
count\t'Count wrong checksums'
exclude\t'Count the packet in its flow, and ignore its flags and payload'"
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -l overlap -d 'Which bytes to use where TCP segments overlap and differ, as hosts of this kind do' -r -f -a "first\t'Those that arrived first'
last\t'Those that arrived last'
bsd\t'As in BSD'
linux\t'As in Linux'"
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -l utc -d 'Print times in UTC; this is the default'
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -l local -d 'Print times in the time zone of this machine'
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -s p -l promiscuous -d 'Also receive packets that are not addressed to the interface. The `-p` of tcpdump is the opposite'
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -s q -l quiet -d 'Print only errors on standard error'
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -l no-pager -d 'Do not show the output in a pager'
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -l vlan-key -d 'Keep flows of different VLANs and virtual networks apart: VLAN, VXLAN, GENEVE, NVGRE and PBB identifiers, ERSPAN and PPPoE sessions. Not for captures that see the two directions of a flow in different ones'
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -l ethernet -d 'Keep the Ethernet addresses of flows: in EVE\'s object `ether`, at most 10 of each side. Each flow then takes up to 2 KiB more of --memory'
complete -c flowscope -n "__fish_flowscope_using_subcommand live" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flowscope -n "__fish_flowscope_using_subcommand follow" -s r -l read -d 'Capture file, as in tcpdump; the same as FILE without `-r`' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand follow" -l format -d 'Format of the payload' -r -f -a "text\t'Text, with control characters escaped'
hex\t'Hex dump'
raw\t'Unchanged bytes, without marks for gaps and changes of direction'"
complete -c flowscope -n "__fish_flowscope_using_subcommand follow" -l output-dir -l out -d 'Write each side of each conversation to a file of its own in this directory' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand follow" -l max-files -d 'Write at most this many files with --output-dir, beside the index' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand follow" -l side -d 'Print only the payload of this side' -r -f -a "initiator\t'The endpoint that began the conversation'
responder\t'The other endpoint'"
complete -c flowscope -n "__fish_flowscope_using_subcommand follow" -s o -l output -d 'Write to this file instead of standard output' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand follow" -l workers -d 'Number of threads that track flows, at most 16; the output does not depend on it [default: the number of processors, at most 4; 1 (no extra thread) for small input and live capture]' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand follow" -s f -l filter -d 'Process only packets that match, as in tcpdump' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand follow" -l community-id-seed -d 'Seed of Community IDs, 0 to 65535. Programs whose IDs are to be equal must have the same one' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand follow" -l max-flows -d 'Most flows in the table; beyond that the one idle for longest is evicted' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand follow" -l memory -d 'Memory budget for flows, in bytes or with K, M or G (times 1024), at least 256K; beyond that flows are evicted' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand follow" -l tcp-idle -d 'Idle timeout of TCP flows (seconds, or like 5m, 300ms)' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand follow" -l udp-idle -d 'Idle timeout of UDP flows' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand follow" -l other-idle -d 'Idle timeout of all other flows' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand follow" -l active -l interim -d 'Print a record of an open flow each time this long has passed. Packets and bytes of a record are then those since the previous record of the flow' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand follow" -l linger -d 'Keep a closed TCP connection for this long, so that late packets are counted in its record, which is written then' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand follow" -l eviction -d 'Which flow to evict when the table is full' -r -f -a "oldest\t'The flow idle for longest'
half-open-first\t'The same, but connections that were never established first'"
complete -c flowscope -n "__fish_flowscope_using_subcommand follow" -l resets -d 'Which TCP resets end a flow' -r -f -a "in-sequence\t'Those with a sequence number that the receiver would accept'
any\t'All'"
complete -c flowscope -n "__fish_flowscope_using_subcommand follow" -l checksums -d 'What to do with wrong checksums. A checksum that is left to the network card of the sender never counts as wrong' -r -f -a "off\t'Do not verify checksums'
count\t'Count wrong checksums'
exclude\t'Count the packet in its flow, and ignore its flags and payload'"
complete -c flowscope -n "__fish_flowscope_using_subcommand follow" -l overlap -d 'Which bytes to use where TCP segments overlap and differ, as hosts of this kind do' -r -f -a "first\t'Those that arrived first'
last\t'Those that arrived last'
bsd\t'As in BSD'
linux\t'As in Linux'"
complete -c flowscope -n "__fish_flowscope_using_subcommand follow" -l digest -d 'Print length, SHA-256 and gaps instead of the payload'
complete -c flowscope -n "__fish_flowscope_using_subcommand follow" -s q -l quiet -d 'Print only errors on standard error'
complete -c flowscope -n "__fish_flowscope_using_subcommand follow" -l no-pager -d 'Do not show the output in a pager'
complete -c flowscope -n "__fish_flowscope_using_subcommand follow" -l vlan-key -d 'Keep flows of different VLANs and virtual networks apart: VLAN, VXLAN, GENEVE, NVGRE and PBB identifiers, ERSPAN and PPPoE sessions. Not for captures that see the two directions of a flow in different ones'
complete -c flowscope -n "__fish_flowscope_using_subcommand follow" -l ethernet -d 'Keep the Ethernet addresses of flows: in EVE\'s object `ether`, at most 10 of each side. Each flow then takes up to 2 KiB more of --memory'
complete -c flowscope -n "__fish_flowscope_using_subcommand follow" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flowscope -n "__fish_flowscope_using_subcommand ladder" -s r -l read -d 'Capture file, as in tcpdump; the same as FILE without `-r`' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand ladder" -s n -l limit -d 'Print at most this many rows: of more, the first and the last' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand ladder" -s o -l output -d 'Write to this file instead of standard output' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand ladder" -l workers -d 'Number of threads that track flows, at most 16; the output does not depend on it [default: the number of processors, at most 4; 1 (no extra thread) for small input and live capture]' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand ladder" -s f -l filter -d 'Process only packets that match, as in tcpdump' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand ladder" -l community-id-seed -d 'Seed of Community IDs, 0 to 65535. Programs whose IDs are to be equal must have the same one' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand ladder" -l max-flows -d 'Most flows in the table; beyond that the one idle for longest is evicted' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand ladder" -l memory -d 'Memory budget for flows, in bytes or with K, M or G (times 1024), at least 256K; beyond that flows are evicted' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand ladder" -l tcp-idle -d 'Idle timeout of TCP flows (seconds, or like 5m, 300ms)' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand ladder" -l udp-idle -d 'Idle timeout of UDP flows' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand ladder" -l other-idle -d 'Idle timeout of all other flows' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand ladder" -l active -l interim -d 'Print a record of an open flow each time this long has passed. Packets and bytes of a record are then those since the previous record of the flow' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand ladder" -l linger -d 'Keep a closed TCP connection for this long, so that late packets are counted in its record, which is written then' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand ladder" -l eviction -d 'Which flow to evict when the table is full' -r -f -a "oldest\t'The flow idle for longest'
half-open-first\t'The same, but connections that were never established first'"
complete -c flowscope -n "__fish_flowscope_using_subcommand ladder" -l resets -d 'Which TCP resets end a flow' -r -f -a "in-sequence\t'Those with a sequence number that the receiver would accept'
any\t'All'"
complete -c flowscope -n "__fish_flowscope_using_subcommand ladder" -l checksums -d 'What to do with wrong checksums. A checksum that is left to the network card of the sender never counts as wrong' -r -f -a "off\t'Do not verify checksums'
count\t'Count wrong checksums'
exclude\t'Count the packet in its flow, and ignore its flags and payload'"
complete -c flowscope -n "__fish_flowscope_using_subcommand ladder" -l overlap -d 'Which bytes to use where TCP segments overlap and differ, as hosts of this kind do' -r -f -a "first\t'Those that arrived first'
last\t'Those that arrived last'
bsd\t'As in BSD'
linux\t'As in Linux'"
complete -c flowscope -n "__fish_flowscope_using_subcommand ladder" -l svg -d 'Draw it as SVG, for a browser or a document'
complete -c flowscope -n "__fish_flowscope_using_subcommand ladder" -s q -l quiet -d 'Print only errors on standard error'
complete -c flowscope -n "__fish_flowscope_using_subcommand ladder" -l no-pager -d 'Do not show the output in a pager'
complete -c flowscope -n "__fish_flowscope_using_subcommand ladder" -l vlan-key -d 'Keep flows of different VLANs and virtual networks apart: VLAN, VXLAN, GENEVE, NVGRE and PBB identifiers, ERSPAN and PPPoE sessions. Not for captures that see the two directions of a flow in different ones'
complete -c flowscope -n "__fish_flowscope_using_subcommand ladder" -l ethernet -d 'Keep the Ethernet addresses of flows: in EVE\'s object `ether`, at most 10 of each side. Each flow then takes up to 2 KiB more of --memory'
complete -c flowscope -n "__fish_flowscope_using_subcommand ladder" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flowscope -n "__fish_flowscope_using_subcommand extract" -l where -d 'Write the packets of flows for which this holds' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand extract" -s o -l output -d 'Write to this file instead of standard output' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand extract" -l workers -d 'Number of threads that track flows, at most 16; the output does not depend on it [default: the number of processors, at most 4; 1 (no extra thread) for small input and live capture]' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand extract" -s f -l filter -d 'Process only packets that match, as in tcpdump' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand extract" -l community-id-seed -d 'Seed of Community IDs, 0 to 65535. Programs whose IDs are to be equal must have the same one' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand extract" -l max-flows -d 'Most flows in the table; beyond that the one idle for longest is evicted' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand extract" -l memory -d 'Memory budget for flows, in bytes or with K, M or G (times 1024), at least 256K; beyond that flows are evicted' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand extract" -l tcp-idle -d 'Idle timeout of TCP flows (seconds, or like 5m, 300ms)' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand extract" -l udp-idle -d 'Idle timeout of UDP flows' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand extract" -l other-idle -d 'Idle timeout of all other flows' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand extract" -l active -l interim -d 'Print a record of an open flow each time this long has passed. Packets and bytes of a record are then those since the previous record of the flow' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand extract" -l linger -d 'Keep a closed TCP connection for this long, so that late packets are counted in its record, which is written then' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand extract" -l eviction -d 'Which flow to evict when the table is full' -r -f -a "oldest\t'The flow idle for longest'
half-open-first\t'The same, but connections that were never established first'"
complete -c flowscope -n "__fish_flowscope_using_subcommand extract" -l resets -d 'Which TCP resets end a flow' -r -f -a "in-sequence\t'Those with a sequence number that the receiver would accept'
any\t'All'"
complete -c flowscope -n "__fish_flowscope_using_subcommand extract" -l checksums -d 'What to do with wrong checksums. A checksum that is left to the network card of the sender never counts as wrong' -r -f -a "off\t'Do not verify checksums'
count\t'Count wrong checksums'
exclude\t'Count the packet in its flow, and ignore its flags and payload'"
complete -c flowscope -n "__fish_flowscope_using_subcommand extract" -l overlap -d 'Which bytes to use where TCP segments overlap and differ, as hosts of this kind do' -r -f -a "first\t'Those that arrived first'
last\t'Those that arrived last'
bsd\t'As in BSD'
linux\t'As in Linux'"
complete -c flowscope -n "__fish_flowscope_using_subcommand extract" -s q -l quiet -d 'Print only errors on standard error'
complete -c flowscope -n "__fish_flowscope_using_subcommand extract" -l no-pager -d 'Do not show the output in a pager'
complete -c flowscope -n "__fish_flowscope_using_subcommand extract" -l vlan-key -d 'Keep flows of different VLANs and virtual networks apart: VLAN, VXLAN, GENEVE, NVGRE and PBB identifiers, ERSPAN and PPPoE sessions. Not for captures that see the two directions of a flow in different ones'
complete -c flowscope -n "__fish_flowscope_using_subcommand extract" -l ethernet -d 'Keep the Ethernet addresses of flows: in EVE\'s object `ether`, at most 10 of each side. Each flow then takes up to 2 KiB more of --memory'
complete -c flowscope -n "__fish_flowscope_using_subcommand extract" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flowscope -n "__fish_flowscope_using_subcommand split" -l where -d 'Write only flows for which this holds' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand split" -l max-files -d 'Write at most this many files; with more flows, none is written' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand split" -s o -l output -d 'Write to this file instead of standard output' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand split" -l workers -d 'Number of threads that track flows, at most 16; the output does not depend on it [default: the number of processors, at most 4; 1 (no extra thread) for small input and live capture]' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand split" -s f -l filter -d 'Process only packets that match, as in tcpdump' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand split" -l community-id-seed -d 'Seed of Community IDs, 0 to 65535. Programs whose IDs are to be equal must have the same one' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand split" -l max-flows -d 'Most flows in the table; beyond that the one idle for longest is evicted' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand split" -l memory -d 'Memory budget for flows, in bytes or with K, M or G (times 1024), at least 256K; beyond that flows are evicted' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand split" -l tcp-idle -d 'Idle timeout of TCP flows (seconds, or like 5m, 300ms)' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand split" -l udp-idle -d 'Idle timeout of UDP flows' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand split" -l other-idle -d 'Idle timeout of all other flows' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand split" -l active -l interim -d 'Print a record of an open flow each time this long has passed. Packets and bytes of a record are then those since the previous record of the flow' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand split" -l linger -d 'Keep a closed TCP connection for this long, so that late packets are counted in its record, which is written then' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand split" -l eviction -d 'Which flow to evict when the table is full' -r -f -a "oldest\t'The flow idle for longest'
half-open-first\t'The same, but connections that were never established first'"
complete -c flowscope -n "__fish_flowscope_using_subcommand split" -l resets -d 'Which TCP resets end a flow' -r -f -a "in-sequence\t'Those with a sequence number that the receiver would accept'
any\t'All'"
complete -c flowscope -n "__fish_flowscope_using_subcommand split" -l checksums -d 'What to do with wrong checksums. A checksum that is left to the network card of the sender never counts as wrong' -r -f -a "off\t'Do not verify checksums'
count\t'Count wrong checksums'
exclude\t'Count the packet in its flow, and ignore its flags and payload'"
complete -c flowscope -n "__fish_flowscope_using_subcommand split" -l overlap -d 'Which bytes to use where TCP segments overlap and differ, as hosts of this kind do' -r -f -a "first\t'Those that arrived first'
last\t'Those that arrived last'
bsd\t'As in BSD'
linux\t'As in Linux'"
complete -c flowscope -n "__fish_flowscope_using_subcommand split" -s q -l quiet -d 'Print only errors on standard error'
complete -c flowscope -n "__fish_flowscope_using_subcommand split" -l no-pager -d 'Do not show the output in a pager'
complete -c flowscope -n "__fish_flowscope_using_subcommand split" -l vlan-key -d 'Keep flows of different VLANs and virtual networks apart: VLAN, VXLAN, GENEVE, NVGRE and PBB identifiers, ERSPAN and PPPoE sessions. Not for captures that see the two directions of a flow in different ones'
complete -c flowscope -n "__fish_flowscope_using_subcommand split" -l ethernet -d 'Keep the Ethernet addresses of flows: in EVE\'s object `ether`, at most 10 of each side. Each flow then takes up to 2 KiB more of --memory'
complete -c flowscope -n "__fish_flowscope_using_subcommand split" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -l keylog -d 'Decrypt TLS with the secrets of this key log, as SSLKEYLOGFILE makes browsers and curl write it' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -s r -l read -d 'Capture file, as in tcpdump; the same as FILE without `-r`' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -s i -l interface -d 'Capture from this interface, not from a file' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -l shunt -d 'Have the kernel count the packets of established TCP connections that no parser reads any more, of at most FLOWS at a time, and read only those that change more than counters. The records are the same. Not for `events`' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -s c -l count -d 'Stop after this many packets' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -l duration -d 'Stop after this long (seconds, or like 5m, 300ms)' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -s s -l snap-len -d 'Most bytes captured of each packet [default: all]' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -l ring -d 'Size of the capture ring of each interface [default: 32M]' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -l timestamps -d 'Who takes the time of a packet. The clock of a card is not the system\'s unless it is synchronised; packets that the card does not stamp have the kernel\'s time [default: kernel]' -r -f -a "kernel\t'The kernel, when it receives the packet'
card\t'The network card'"
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -l fanout -d 'Share the packets with all programs that use the same number; both directions of a flow go to the same program' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -l rotate -d 'Complete the logs of --output-dir each time this long has passed, in UTC, such as 1h, or when one has this size, such as 100MiB. May be given twice' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -l keep -d 'Keep only this many of the complete logs of each name, and delete older ones' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -l metrics -d 'Answer Prometheus at this address, under /metrics' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -l user -d 'Go on as this user when the capture is open. The directory of --output-dir is created as theirs; what is written is opened by them' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -l config -d 'Take options from this TOML file, under their long names. Those of the command line win' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -s o -l output -d 'Write to this file instead of standard output' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -l workers -d 'Number of threads that track flows, at most 16; the output does not depend on it [default: the number of processors, at most 4; 1 (no extra thread) for small input and live capture]' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -s f -l filter -d 'Process only packets that match, as in tcpdump' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -l community-id-seed -d 'Seed of Community IDs, 0 to 65535. Programs whose IDs are to be equal must have the same one' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -l max-flows -d 'Most flows in the table; beyond that the one idle for longest is evicted' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -l memory -d 'Memory budget for flows, in bytes or with K, M or G (times 1024), at least 256K; beyond that flows are evicted' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -l tcp-idle -d 'Idle timeout of TCP flows (seconds, or like 5m, 300ms)' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -l udp-idle -d 'Idle timeout of UDP flows' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -l other-idle -d 'Idle timeout of all other flows' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -l active -l interim -d 'Print a record of an open flow each time this long has passed. Packets and bytes of a record are then those since the previous record of the flow' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -l linger -d 'Keep a closed TCP connection for this long, so that late packets are counted in its record, which is written then' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -l eviction -d 'Which flow to evict when the table is full' -r -f -a "oldest\t'The flow idle for longest'
half-open-first\t'The same, but connections that were never established first'"
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -l resets -d 'Which TCP resets end a flow' -r -f -a "in-sequence\t'Those with a sequence number that the receiver would accept'
any\t'All'"
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -l checksums -d 'What to do with wrong checksums. A checksum that is left to the network card of the sender never counts as wrong' -r -f -a "off\t'Do not verify checksums'
count\t'Count wrong checksums'
exclude\t'Count the packet in its flow, and ignore its flags and payload'"
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -l overlap -d 'Which bytes to use where TCP segments overlap and differ, as hosts of this kind do' -r -f -a "first\t'Those that arrived first'
last\t'Those that arrived last'
bsd\t'As in BSD'
linux\t'As in Linux'"
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -s p -l promiscuous -d 'Also receive packets that are not addressed to the interface. The `-p` of tcpdump is the opposite'
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -s q -l quiet -d 'Print only errors on standard error'
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -l no-pager -d 'Do not show the output in a pager'
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -l vlan-key -d 'Keep flows of different VLANs and virtual networks apart: VLAN, VXLAN, GENEVE, NVGRE and PBB identifiers, ERSPAN and PPPoE sessions. Not for captures that see the two directions of a flow in different ones'
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -l ethernet -d 'Keep the Ethernet addresses of flows: in EVE\'s object `ether`, at most 10 of each side. Each flow then takes up to 2 KiB more of --memory'
complete -c flowscope -n "__fish_flowscope_using_subcommand events" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flowscope -n "__fish_flowscope_using_subcommand merge" -l format -d 'Format of the merged records [default: that of the inputs; if they differ json, of EVE and Parquet eve]' -r -f -a "table\t'Aligned columns, for reading'
eve\t'JSON lines with Suricata\'s field names, of inputs in that format'
csv\t'Comma-separated values, the first line names the columns'
json\t'JSON lines, one flat object per record'
parquet\t'Parquet files in the directory of -o, of inputs that are EVE or Parquet. Needs the program `flowscope-parquet`'"
complete -c flowscope -n "__fish_flowscope_using_subcommand merge" -l tz -d 'Print times in this time zone, such as `Europe/Berlin`' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand merge" -s o -l output -d 'Write to this file instead of standard output; Parquet to this directory' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand merge" -l gap -d 'Merge records of a flow that have at most this much silence between them (seconds, or like 5m, 300ms) [default: 5m of TCP, 60s of UDP, 30s of all others, the idle timeouts of `flowscope flows`]' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand merge" -l memory -d 'Keep at most this much of records, in bytes or with K, M or G (times 1024); with more, nothing is merged' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand merge" -l community-id-seed -d 'Seed of Community IDs in the inputs, 0 to 65535' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand merge" -l utc -d 'Print times in UTC; this is the default'
complete -c flowscope -n "__fish_flowscope_using_subcommand merge" -l local -d 'Print times in the time zone of this machine'
complete -c flowscope -n "__fish_flowscope_using_subcommand merge" -l wide -d 'Show all columns of the table, however wide the terminal is'
complete -c flowscope -n "__fish_flowscope_using_subcommand merge" -l any-vlan -d 'Merge records of different VLANs and virtual networks, too'
complete -c flowscope -n "__fish_flowscope_using_subcommand merge" -l sorted -d 'The inputs are sorted by `start`, as the output of this command is'
complete -c flowscope -n "__fish_flowscope_using_subcommand merge" -s q -l quiet -d 'Print only errors on standard error'
complete -c flowscope -n "__fish_flowscope_using_subcommand merge" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flowscope -n "__fish_flowscope_using_subcommand interfaces" -l format -d 'Format of the list' -r -f -a "table\t'Aligned columns, for reading'
json\t'JSON lines'"
complete -c flowscope -n "__fish_flowscope_using_subcommand interfaces" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flowscope -n "__fish_flowscope_using_subcommand doctor" -l format -d 'Format of the findings' -r -f -a "table\t'Aligned columns, for reading'
json\t'JSON lines'"
complete -c flowscope -n "__fish_flowscope_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flowscope -n "__fish_flowscope_using_subcommand capture" -s i -l interface -d 'Capture from this interface; may be repeated, as one capture. `any` is every interface but the loopback; a pattern such as \'eth*\' is every interface of such a name' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand capture" -s w -l write -d 'Write to this file; `-` is standard output. While it is being written, a regular file is named FILE.part' -r -F
complete -c flowscope -n "__fish_flowscope_using_subcommand capture" -l format -d 'Format of the file [default: pcap for names that end in .pcap, else pcapng]' -r -f -a "pcap\t''
pcapng\t''"
complete -c flowscope -n "__fish_flowscope_using_subcommand capture" -s f -l filter -d 'Record only packets that match this filter, such as `tcp port 443 and host 10.0.0.1`. The kernel applies it' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand capture" -s c -l count -d 'Stop after this many packets' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand capture" -l duration -d 'Stop after this long (seconds, or like 5m, 300ms)' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand capture" -s s -l snap-len -d 'Most bytes captured of each packet [default: all]' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand capture" -l ring -d 'Size of the capture ring of each interface [default: 32M]' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand capture" -l timestamps -d 'Who takes the time of a packet. The clock of a card is not the system\'s unless it is synchronised; packets that the card does not stamp have the kernel\'s time [default: kernel]' -r -f -a "kernel\t'The kernel, when it receives the packet'
card\t'The network card'"
complete -c flowscope -n "__fish_flowscope_using_subcommand capture" -l fanout -d 'Share the packets with all programs that use the same number; both directions of a flow go to the same program' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand capture" -s C -l rotate-size -d 'Begin a new file before one becomes larger than this, in bytes or with K, M or G (times 1024)' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand capture" -s G -l rotate-time -d 'Begin a new file after this long' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand capture" -l keep -d 'Keep only this many of the latest files, and delete older ones' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand capture" -s q -l quiet -d 'Print only errors on standard error'
complete -c flowscope -n "__fish_flowscope_using_subcommand capture" -s p -l promiscuous -d 'Also receive packets that are not addressed to the interface. The `-p` of tcpdump is the opposite'
complete -c flowscope -n "__fish_flowscope_using_subcommand capture" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flowscope -n "__fish_flowscope_using_subcommand replay" -s i -l interface -d 'Send through this interface' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand replay" -l speed -d 'Send this many times as fast as captured' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand replay" -l pps -d 'Send this many packets per second' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand replay" -l loop -d 'Send the capture this many times; 0 repeats until interrupted' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand replay" -s f -l filter -d 'Send only packets that match this filter, such as `tcp port 443 and host 10.0.0.1`' -r
complete -c flowscope -n "__fish_flowscope_using_subcommand replay" -l topspeed -d 'Send as fast as possible'
complete -c flowscope -n "__fish_flowscope_using_subcommand replay" -s q -l quiet -d 'Print only errors on standard error'
complete -c flowscope -n "__fish_flowscope_using_subcommand replay" -s h -l help -d 'Print help'
complete -c flowscope -n "__fish_flowscope_using_subcommand help; and not __fish_seen_subcommand_from flows sessions summary top report live follow ladder extract split events merge query collect interfaces doctor capture replay help" -f -a "flows" -d 'Print one record per flow: endpoints, packets, bytes, and how it ended'
complete -c flowscope -n "__fish_flowscope_using_subcommand help; and not __fish_seen_subcommand_from flows sessions summary top report live follow ladder extract split events merge query collect interfaces doctor capture replay help" -f -a "sessions" -d 'Print one record per transaction, handshake or message of application protocols'
complete -c flowscope -n "__fish_flowscope_using_subcommand help; and not __fish_seen_subcommand_from flows sessions summary top report live follow ladder extract split events merge query collect interfaces doctor capture replay help" -f -a "summary" -d 'Print what is in a capture on one screen: protocols, talkers, names, failures'
complete -c flowscope -n "__fish_flowscope_using_subcommand help; and not __fish_seen_subcommand_from flows sessions summary top report live follow ladder extract split events merge query collect interfaces doctor capture replay help" -f -a "top" -d 'Print the addresses, servers or names of which there is most'
complete -c flowscope -n "__fish_flowscope_using_subcommand help; and not __fish_seen_subcommand_from flows sessions summary top report live follow ladder extract split events merge query collect interfaces doctor capture replay help" -f -a "report" -d 'Write a page of a whole capture, as one HTML file that opens offline'
complete -c flowscope -n "__fish_flowscope_using_subcommand help; and not __fish_seen_subcommand_from flows sessions summary top report live follow ladder extract split events merge query collect interfaces doctor capture replay help" -f -a "live" -d 'Show flows and names on the terminal as they come, from interfaces or a capture'
complete -c flowscope -n "__fish_flowscope_using_subcommand help; and not __fish_seen_subcommand_from flows sessions summary top report live follow ladder extract split events merge query collect interfaces doctor capture replay help" -f -a "follow" -d 'Print the payload of one conversation, with gaps marked'
complete -c flowscope -n "__fish_flowscope_using_subcommand help; and not __fish_seen_subcommand_from flows sessions summary top report live follow ladder extract split events merge query collect interfaces doctor capture replay help" -f -a "ladder" -d 'Draw one conversation packet by packet, with what was noteworthy'
complete -c flowscope -n "__fish_flowscope_using_subcommand help; and not __fish_seen_subcommand_from flows sessions summary top report live follow ladder extract split events merge query collect interfaces doctor capture replay help" -f -a "extract" -d 'Write the packets of chosen flows to a capture'
complete -c flowscope -n "__fish_flowscope_using_subcommand help; and not __fish_seen_subcommand_from flows sessions summary top report live follow ladder extract split events merge query collect interfaces doctor capture replay help" -f -a "split" -d 'Write the packets of each flow to a capture of its own'
complete -c flowscope -n "__fish_flowscope_using_subcommand help; and not __fish_seen_subcommand_from flows sessions summary top report live follow ladder extract split events merge query collect interfaces doctor capture replay help" -f -a "events" -d 'Print all events of all flows, one JSON object per line'
complete -c flowscope -n "__fish_flowscope_using_subcommand help; and not __fish_seen_subcommand_from flows sessions summary top report live follow ladder extract split events merge query collect interfaces doctor capture replay help" -f -a "merge" -d 'Put flow records of several captures or sensors together: one record for each connection'
complete -c flowscope -n "__fish_flowscope_using_subcommand help; and not __fish_seen_subcommand_from flows sessions summary top report live follow ladder extract split events merge query collect interfaces doctor capture replay help" -f -a "query" -d 'Answer a question in SQL about captures, or about records in Parquet files'
complete -c flowscope -n "__fish_flowscope_using_subcommand help; and not __fish_seen_subcommand_from flows sessions summary top report live follow ladder extract split events merge query collect interfaces doctor capture replay help" -f -a "collect" -d 'Write what sensors publish to NATS JetStream to Parquet files'
complete -c flowscope -n "__fish_flowscope_using_subcommand help; and not __fish_seen_subcommand_from flows sessions summary top report live follow ladder extract split events merge query collect interfaces doctor capture replay help" -f -a "interfaces" -d 'List network interfaces, and whether this program may capture from them'
complete -c flowscope -n "__fish_flowscope_using_subcommand help; and not __fish_seen_subcommand_from flows sessions summary top report live follow ladder extract split events merge query collect interfaces doctor capture replay help" -f -a "doctor" -d 'Check whether live capture works here, and which settings matter'
complete -c flowscope -n "__fish_flowscope_using_subcommand help; and not __fish_seen_subcommand_from flows sessions summary top report live follow ladder extract split events merge query collect interfaces doctor capture replay help" -f -a "capture" -d 'Record packets of interfaces to files'
complete -c flowscope -n "__fish_flowscope_using_subcommand help; and not __fish_seen_subcommand_from flows sessions summary top report live follow ladder extract split events merge query collect interfaces doctor capture replay help" -f -a "replay" -d 'Send the packets of a capture through an interface'
complete -c flowscope -n "__fish_flowscope_using_subcommand help; and not __fish_seen_subcommand_from flows sessions summary top report live follow ladder extract split events merge query collect interfaces doctor capture replay help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
