"""Reads what flowscope-parquet writes with pyarrow, DuckDB and Polars, and compares counts and sums with its JSON.

    check.py PROGRAM CAPTURE...
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import datetime, timedelta, timezone

import duckdb
import polars
import pyarrow.compute as pc
import pyarrow.dataset as ds

PROGRAM, *CAPTURES = sys.argv[1:]

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
SUMS = ["packets_to_server", "packets_to_client", "bytes_to_server", "bytes_to_client", "duration"]


def run(*args):
    done = subprocess.run([PROGRAM, *args, *CAPTURES], check=True, capture_output=True, text=True)
    return done.stdout


def micros(text):
    return (datetime.fromisoformat(text[:26].rstrip("Z") + "+00:00") - EPOCH) // timedelta(microseconds=1)


def rows(command):
    return [json.loads(line) for line in run(command, "--format", "json").splitlines()]


def answer(counts, sums, hosts, end, answers):
    """What every reader is asked, in one form; the latest end is in microseconds."""
    sums = {name: round(float(total), 6) for name, total in sums.items()}
    return {
        "records": {name: int(count) for name, count in sorted(counts.items())},
        "sums": sums,
        "hosts": int(hosts),
        "end": int(end),
        "answers": dict(sorted(answers.items())),
    }


def from_json():
    flows, sessions = rows("flows"), rows("sessions")
    counts = Counter(row["app_proto"] for row in sessions)
    counts["flow"] = len(flows)
    answers = Counter()
    for row in sessions:
        if row["app_proto"] == "dns":
            answers.update(item["rrtype"] for item in row.get("answers", []))
    return answer(
        counts,
        {name: sum(row[name] for row in flows) for name in SUMS},
        len({row["src_ip"] for row in flows}),
        max(micros(row["end"]) for row in flows),
        answers,
    )


def from_pyarrow(folder):
    table = ds.dataset(folder, partitioning="hive").to_table(columns=["record"])
    counts = {item["values"]: item["counts"] for item in pc.value_counts(table["record"]).to_pylist()}
    flows = ds.dataset(f"{folder}/record=flow", partitioning="hive").to_table()
    dns = ds.dataset(f"{folder}/record=dns", partitioning="hive").to_table(columns=["answers"])
    items = pc.list_flatten(dns["answers"])
    answers = Counter(pc.struct_field(items, "rrtype").to_pylist())
    return answer(
        counts,
        {name: pc.sum(flows[name]).as_py() for name in SUMS},
        pc.count_distinct(flows["src_ip"]).as_py(),
        pc.max(flows["end"].cast("int64")).as_py() // 1000,
        answers,
    )


def from_duckdb(folder):
    db = duckdb.connect()
    every = f"read_parquet('{folder}/**/*.parquet', hive_partitioning = true, union_by_name = true)"
    flows = f"read_parquet('{folder}/record=flow/**/*.parquet', hive_partitioning = true)"
    dns = f"read_parquet('{folder}/record=dns/**/*.parquet', hive_partitioning = true)"
    counts = dict(db.execute(f"SELECT record, count(*) FROM {every} GROUP BY record").fetchall())
    sums = ", ".join(f"sum({name})" for name in SUMS)
    query = f"SELECT {sums}, count(DISTINCT src_ip), epoch_us(max(\"end\")::TIMESTAMPTZ) FROM {flows}"
    *sums, hosts, end = db.execute(query).fetchone()
    query = f"SELECT a.rrtype, count(*) FROM (SELECT unnest(answers) AS a FROM {dns}) GROUP BY 1"
    answers = dict(db.execute(query).fetchall())
    return answer(counts, dict(zip(SUMS, sums)), hosts, end, answers)


def from_polars(folder):
    def scan(record):
        return polars.scan_parquet(f"{folder}/record={record}/**/*.parquet", hive_partitioning=True)

    names = [name.removeprefix("record=") for name in os.listdir(folder)]
    counts = {name: scan(name).select(polars.len()).collect().item() for name in names}
    flows = scan("flow").select(
        *(polars.col(name).sum() for name in SUMS),
        polars.col("src_ip").n_unique().alias("hosts"),
        polars.col("end").max().dt.epoch("us").alias("last"),
    ).collect()
    kinds = scan("dns").select(polars.col("answers").explode().struct.field("rrtype")).collect()
    answers = Counter(kind for kind in kinds["rrtype"].to_list() if kind is not None)
    row = flows.row(0, named=True)
    return answer(counts, {name: row[name] for name in SUMS}, row["hosts"], row["last"], answers)


def main():
    with tempfile.TemporaryDirectory() as folder:
        run("sessions", "--format", "parquet", "--output-dir", folder)
        expected = from_json()
        assert expected["records"]["flow"] > 0 and expected["answers"], expected
        for read in [from_pyarrow, from_duckdb, from_polars]:
            got = read(folder)
            if got != expected:
                sys.exit(f"{read.__name__}: {got}\nexpected: {expected}")
            print(f"{read.__name__}: {sum(got['records'].values())} records as in JSON")


main()
