"""Tests of the built wheel, beside the command of the same sources: `FLOWSCOPE` is the program.

    FLOWSCOPE=target/debug/flowscope python -m unittest discover python/tests
"""

import ast
import calendar
import collections
import faulthandler
import gc
import json
import os
import signal
import struct
import subprocess
import tempfile
import threading
import time
import unittest
import warnings
from pathlib import Path

import flowscope

# A test that waits for ever fails.
faulthandler.dump_traceback_later(300, exit=True)

DATA = Path(__file__).parents[2] / "tests" / "data"
PROGRAM = os.environ["FLOWSCOPE"]
CAPTURES = sorted(path for path in DATA.iterdir() if ".pcap" in path.name)


def of_command(command, *args):
    """The records that the command writes as JSON."""
    arguments = [PROGRAM, command, "--format", "json", "--quiet", *map(str, args)]
    done = subprocess.run(arguments, stdout=subprocess.PIPE, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def as_json(value, outermost=True):
    """A record as JSON has it: without what is left out, and whole seconds without a point."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, dict):
        return [as_json(item, False) for item in value] if isinstance(value, list) else value
    left_out = (None, []) if outermost else (None,)
    return {name: as_json(item, False) for name, item in value.items() if item not in left_out}


def datagrams(flows):
    """A capture of UDP flows of one datagram, a hundred in a second."""
    capture = bytearray(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
    for flow in range(flows):
        source = bytes([10, flow >> 16 & 255, flow >> 8 & 255, flow & 255])
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 32, 0, 0, 64, 17, 0, source, bytes([10, 255, 0, 1]))
        packet = ip + struct.pack(">HHHH", 40000, 9, 12, 0) + b"data"
        capture += struct.pack("<IIII", flow // 100, 0, len(packet), len(packet)) + packet
    return bytes(capture)


class WithFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def write(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        return path

    def threads(self):
        """How many threads read captures."""
        names = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
        return sum(name == "flowscope\n" for name in names)

    def wait_for_threads(self):
        until = time.monotonic() + 20
        while self.threads() > 0 and time.monotonic() < until:
            time.sleep(0.01)
        self.assertEqual(self.threads(), 0)


class Values(unittest.TestCase):
    def same(self, records, command, *args):
        """Values, their types, and the order of records and of members are those of JSON."""
        records = [as_json(record) for record in records]
        expected = of_command(command, *args)
        self.assertEqual([json.dumps(one) for one in records], [json.dumps(one) for one in expected])
        return len(records)

    def test_records_are_those_of_json(self):
        self.assertGreater(len(CAPTURES), 20)
        for capture in CAPTURES:
            with self.subTest(capture=capture.name):
                self.assertGreater(self.same(flowscope.flows(capture), "flows", capture), 0)
                self.same(flowscope.sessions(str(capture)), "sessions", capture)

    def test_options_are_those_of_the_command(self):
        mixed = DATA / "mixed.pcapng"
        tls = flowscope.flows(mixed, where='app_proto == "tls" && bytes > 1K', filter="tcp port 443")
        args = ["--where", 'app_proto == "tls" && bytes > 1K', "--filter", "tcp port 443"]
        self.assertGreater(self.same(tls, "flows", mixed, *args), 0)
        read = flowscope.sessions(mixed, protocol=["dns", "tls"], community_id_seed=7, vlan_key=True, workers=2)
        args = ["--protocol", "dns,tls", "--community-id-seed", "7", "--vlan-key"]
        self.assertGreater(self.same(read, "sessions", mixed, *args), 0)
        shown = {record["app_proto"] for record in flowscope.sessions(mixed, protocol="dns")}
        self.assertEqual(shown, {"dns"})
        interim = flowscope.flows(mixed, active=0.5, udp_idle="1s", where=None, vlan_key=False)
        self.same(interim, "flows", mixed, "--active", "0.5", "--udp-idle", "1s")

    def test_chosen_fields(self):
        mixed = DATA / "mixed.pcapng"
        names = ["dest_port", "bytes", "port", "start"]
        records = list(flowscope.flows(mixed, fields=names))
        self.assertEqual(list(records[0]), names)
        self.same(records, "flows", mixed, "--fields", ",".join(names))
        for same in [",".join(names), ["dest_port,bytes", "port", "start"]]:
            self.assertEqual(list(flowscope.flows(mixed, fields=same)), records)
        self.assertEqual(list(next(flowscope.flows(mixed, fields="bytes"))), ["bytes"])

    def test_what_is_not_there_is_none(self):
        for record in flowscope.flows(DATA / "icmp.pcap", where="proto == icmp"):
            self.assertIsNone(record["app_proto"])
            self.assertEqual(record["vlan"], [])
            self.assertIs(type(record["duration"]), float)
        fields = {tuple(record) for record in flowscope.flows(CAPTURES)}
        self.assertEqual(len(fields), 1)

    def test_times_as_nanoseconds(self):
        path = DATA / "mixed.pcapng"
        for text, number in zip(flowscope.flows(path), flowscope.flows(path, times="ns")):
            whole, _, decimals = text["start"].rstrip("Z").partition(".")
            seconds = time.strptime(whole, "%Y-%m-%dT%H:%M:%S")
            expected = calendar.timegm(seconds) * 10**9 + int(decimals.ljust(9, "0"))
            self.assertEqual(number["start"], expected)


class Inputs(WithFolder):
    def test_several_files_are_one_capture(self):
        files = [DATA / "vlan.pcap", str(DATA / "dns-tcp.pcap"), DATA / "tls13.pcap"]
        flows = flowscope.flows(iter(files))
        expected = of_command("flows", *files)
        self.assertEqual([as_json(flow) for flow in flows], expected)

    def test_statistics_come_with_the_end(self):
        flows = flowscope.flows(DATA / "mixed.pcapng")
        self.assertIsNone(flows.stats)
        packets = sum(flow["packets_to_server"] + flow["packets_to_client"] for flow in flows)
        stats = flows.stats
        self.assertEqual(stats["packets"]["tracked"], packets)
        done = subprocess.run([PROGRAM, "flows", "--format", "eve", DATA / "mixed.pcapng"], stdout=subprocess.PIPE)
        last = json.loads(done.stdout.splitlines()[-1])["stats"]
        self.assertEqual(as_json(stats), last)
        self.assertIsNone(next(flows, None))

    def test_a_cut_capture_is_read_to_the_cut(self):
        whole = (DATA / "dns-udp.pcap").read_bytes()
        cut = self.write("cut.pcap", whole[:-5])
        for read, command in [(flowscope.flows, "flows"), (flowscope.sessions, "sessions")]:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                records = read([cut, DATA / "vlan.pcap"])
                taken = [as_json(next(records))]
                self.assertEqual(caught, [])
                taken.extend(map(as_json, records))
            self.assertEqual([warning.category for warning in caught], [flowscope.CaptureWarning])
            self.assertIn("cut.pcap", str(caught[0].message))
            arguments = [PROGRAM, command, "--format", "json", cut, DATA / "vlan.pcap"]
            done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.assertEqual(taken, [json.loads(line) for line in done.stdout.splitlines()])
            self.assertIsNotNone(records.stats)

    def test_warnings_can_be_errors(self):
        cut = self.write("cut.pcap", (DATA / "dns-udp.pcap").read_bytes()[:-5])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            records = flowscope.flows(cut)
            with self.assertRaises(flowscope.CaptureWarning):
                list(records)
            self.assertEqual(list(records), [])

    def test_each_error_is_reported(self):
        cut = [self.write(name, (DATA / "dns-udp.pcap").read_bytes()[:-5]) for name in ["a.pcap", "b.pcap"]]
        texts = [self.write(name, b"no capture at all, but some text\n" * 9) for name in ["c.txt", "d.txt"]]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            records = flowscope.flows([texts[0], cut[0], texts[1], cut[1]])
            raised = []
            # Each error of four, and one more attempt, which finds none.
            for _ in range(5):
                try:
                    list(records)
                except (flowscope.CaptureWarning, flowscope.CaptureError) as error:
                    raised.append((type(error), next(name for name in "abcd" if f"{name}." in str(error))))
        expected = [(flowscope.CaptureWarning, "a"), (flowscope.CaptureWarning, "b")]
        expected += [(flowscope.CaptureError, "c"), (flowscope.CaptureError, "d")]
        self.assertEqual(raised, expected)

    def test_a_file_that_is_no_capture(self):
        text = self.write("notes.txt", b"no capture at all, but some text\n" * 9)
        with self.assertRaisesRegex(flowscope.CaptureError, "notes.txt: not a pcap or pcapng capture"):
            list(flowscope.flows(text))
        flows, taken = flowscope.flows([text, DATA / "vlan.pcap"]), []
        with self.assertRaises(flowscope.CaptureError):
            for flow in flows:
                taken.append(as_json(flow))
        self.assertEqual(taken, of_command("flows", DATA / "vlan.pcap"))
        self.assertEqual(list(flows), [])

    def test_errors_of_the_system_are_those_of_open(self):
        missing = self.folder / "missing.pcap"
        with self.assertRaises(FileNotFoundError) as raised:
            flowscope.flows([DATA / "vlan.pcap", missing])
        self.assertEqual(raised.exception.filename, str(missing))
        self.assertEqual(raised.exception.strerror, "No such file or directory")
        removed = self.write("removed.pcap", b"")
        flows = flowscope.flows(removed)
        removed.unlink()
        with self.assertRaises(FileNotFoundError):
            list(flows)
        with self.assertRaises(IsADirectoryError):
            list(flowscope.flows(self.folder))

    def test_the_stub_describes_the_module(self):
        stub = ast.parse(Path(flowscope.__file__).with_name("__init__.pyi").read_text())
        public = {node.name: node for node in stub.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
        there = {name for name in dir(flowscope) if not name.startswith("_")} - {"flowscope"}
        self.assertEqual(set(public), there | {"Stats"})
        for name in ["flows", "sessions"]:
            arguments = public[name].args
            self.assertGreater(len(arguments.kwonlyargs), 15)
            for keyword, default in zip(arguments.kwonlyargs, arguments.kw_defaults):
                # Not refused as unknown.
                default = ast.literal_eval(default)
                getattr(flowscope, name)(DATA / "vlan.pcap", **{keyword.arg: default})

    def test_names_like_options_are_files(self):
        data = (DATA / "vlan.pcap").read_bytes()
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.folder)
        for name in ["-", "--where", "-i"]:
            self.write(name, data)
            self.assertEqual(len(list(flowscope.flows(name))), len(of_command("flows", DATA / "vlan.pcap")))

    def test_wrong_arguments(self):
        path = DATA / "vlan.pcap"
        for captures in [7, None, b"bytes", [path, 7], 1.5]:
            with self.subTest(captures=captures), self.assertRaisesRegex(TypeError, "captures: expected str"):
                flowscope.flows(captures)
        with self.assertRaises(ValueError):
            flowscope.flows([])
        with self.assertRaisesRegex(TypeError, "flows.. got an unexpected keyword argument 'format'"):
            flowscope.flows(path, format="eve")
        with self.assertRaisesRegex(TypeError, "where: unexpected type"):
            flowscope.flows(path, where=["a"])
        for wrong in [
            {"where": "byte > 1"},
            {"where": "bytes >"},
            {"filter": "tcp prot 1"},
            {"protocol": "dnss"},
            {"protocol": []},
            {"fields": ["byte"]},
            {"times": "s"},
            {"active": -1},
            {"workers": 0},
        ]:
            with self.subTest(wrong=wrong), self.assertRaises(ValueError):
                flowscope.sessions(path, **wrong)
        with self.assertRaisesRegex(ValueError, "^invalid value 'dnss' for '--protocol <PROTOCOL>'"):
            flowscope.flows(path, protocol="dnss")


class Reading(WithFolder):
    FLOWS = 20_000

    def capture(self):
        return self.write("many.pcap", datagrams(self.FLOWS))

    def test_reading_can_end_early(self):
        path = self.capture()
        for end in ["close", "with", "drop"]:
            flows = flowscope.flows(path)
            self.assertIn("src_ip", next(flows))
            self.assertEqual(self.threads(), 1)
            if end == "close":
                flows.close()
                self.assertIsNone(next(flows, None))
                self.assertIsNone(flows.stats)
            elif end == "with":
                with flows as entered:
                    self.assertIs(entered, flows)
                self.assertEqual(list(flows), [])
            else:
                del flows
                gc.collect()
            self.wait_for_threads()

    def test_reading_ends_without_a_record_to_stop_at(self):
        # No packet matches: it is not a record that shows the thread that nobody listens.
        reader, writer = os.pipe()
        flows = flowscope.flows(f"/dev/fd/{reader}", filter="tcp")
        ended = threading.Event()

        def write():
            try:
                with os.fdopen(writer, "wb") as out:
                    data = datagrams(5000)
                    out.write(data)
                    while not ended.is_set():
                        out.write(data[24:])
            except BrokenPipeError:
                pass

        def close():
            time.sleep(0.3)
            flows.close()

        threads = [threading.Thread(target=write), threading.Thread(target=close)]
        for thread in threads:
            thread.start()
        self.assertEqual(list(flows), [])
        self.wait_for_threads()
        ended.set()
        os.close(reader)
        for thread in threads:
            thread.join()

    def test_nothing_is_read_before_the_first_record_is_asked_for(self):
        flows = flowscope.flows(self.capture())
        self.assertEqual(self.threads(), 0)
        self.assertIs(iter(flows), flows)
        self.assertEqual(sum(1 for _ in flows), self.FLOWS)
        self.wait_for_threads()

    def test_few_records_wait(self):
        # The records of the whole capture would be some 40 MB.
        path = self.capture()
        flows = flowscope.flows(path, udp_idle=1)
        next(flows)
        time.sleep(0.5)
        before = int(Path("/proc/self/statm").read_text().split()[1])
        time.sleep(0.5)
        after = int(Path("/proc/self/statm").read_text().split()[1])
        self.assertLess((after - before) * 4096, 1 << 20)
        self.assertEqual(self.threads(), 1)

    def test_iterators_at_once_and_one_for_several_threads(self):
        path = self.capture()
        expected = sorted(flow["src_ip"] for flow in flowscope.flows(path))
        shared, results = flowscope.flows(path), {}

        def take(name, flows):
            results[name] = [flow["src_ip"] for flow in flows]

        work = [("a", shared), ("b", shared), ("c", flowscope.flows(path)), ("d", flowscope.flows(path))]
        threads = [threading.Thread(target=take, args=each) for each in work]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(results["a"] + results["b"]), expected)
        self.assertEqual(sorted(results["c"]), expected)
        self.assertEqual(results["c"], results["d"])

    def test_other_threads_run_while_it_waits(self):
        reader, writer = os.pipe()
        flows = flowscope.flows(f"/dev/fd/{reader}", udp_idle=1)
        threading.Timer(0.3, lambda: os.write(writer, datagrams(300))).start()
        self.assertEqual(next(flows)["src_ip"], "10.0.0.0")
        os.close(writer)
        self.assertEqual(sum(1 for _ in flows), 299)
        os.close(reader)

    def interrupt(self, after):
        # A shell starts programs in the background with the signal ignored.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        threading.Timer(after, lambda: os.kill(os.getpid(), signal.SIGINT)).start()

    def test_interrupts_are_seen_while_it_waits(self):
        reader, writer = os.pipe()
        flows = flowscope.flows(f"/dev/fd/{reader}")
        self.interrupt(0.3)
        start = time.monotonic()
        with self.assertRaises(KeyboardInterrupt):
            next(flows)
        self.assertLess(time.monotonic() - start, 10)
        os.close(writer)
        # Reading was not disturbed.
        with self.assertRaisesRegex(flowscope.CaptureError, "it is empty"):
            next(flows)
        os.close(reader)

    def test_interrupts_are_seen_while_packets_make_no_records(self):
        path = self.folder / "endless.pcap"
        os.mkfifo(path)
        ended = threading.Event()
        flows = flowscope.flows(path, filter="tcp")

        def write():
            try:
                with open(path, "wb") as out:
                    data = datagrams(5000)
                    out.write(data)
                    while not ended.is_set():
                        out.write(data[24:])
            except BrokenPipeError:
                pass

        # Without the interrupt, it ends soon after.
        threads = [threading.Thread(target=write), threading.Timer(5, ended.set)]
        for thread in threads:
            thread.start()
        self.interrupt(0.5)
        with self.assertRaises(KeyboardInterrupt):
            next(flows, None)
        in_time = not ended.is_set()
        ended.set()
        flows.close()
        for thread in threads:
            thread.join()
        self.assertTrue(in_time)

    def test_interrupts_are_seen_where_records_are_taken_without_code_of_python(self):
        flows = flowscope.flows(self.write("many.pcap", datagrams(200_000)), udp_idle=1)
        next(flows)
        self.interrupt(0.05)
        with self.assertRaises(KeyboardInterrupt):
            collections.deque(flows, maxlen=0)
        self.assertIsNotNone(next(flows, None))


if __name__ == "__main__":
    unittest.main()
