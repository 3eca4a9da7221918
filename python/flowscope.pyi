"""Flow and session records of packet captures.

A record is a dict with the fields of `flowscope flows --format json`, or `flowscope sessions --format json`, under the
same names and in the same order: docs/FORMATS.md lists them. Values are `int`, `float`, `str`, `bool`, lists and dicts as
in JSON; what a record does not have is `None`, or an empty list, where JSON leaves it out. Durations are seconds; times
are RFC 3339 text with up to nine decimals, or whole nanoseconds since 1970 with `times="ns"`: both are exact, which
`datetime` and `float` are not.

Keywords are options of the command, with `_` for `-`: `flowscope help flows` describes them. Times are seconds or text
like `"5m"`, sizes are bytes or text like `"1G"`.
"""

from collections.abc import Iterable, Iterator
from os import PathLike
from types import TracebackType
from typing import Any, Literal, Optional, TypedDict, Union

_Path = Union[str, PathLike[str]]
_Time = Union[int, float, str]
_Size = Union[int, str]

class CaptureError(Exception):
    """A file is not a packet capture."""

class CaptureWarning(UserWarning):
    """A capture is damaged, or ends within a record. Everything before that was read."""

class Stats(TypedDict):
    """Where every packet and every byte of payload went, as in EVE's `stats`."""

    packets: dict[str, int]
    """`seen`, `tracked`, and those that were not tracked, by cause."""
    bytes: dict[str, int]
    """Payload: `seen`, `delivered`, and what was not delivered, by cause."""
    flows: Optional[dict[str, int]]
    """Flows that were `evicted` for lack of room, if any."""
    capture: Optional[dict[str, int]]
    """What the capture says of itself, such as `interface_drop`."""
    unread: Optional[list[dict[str, Any]]]
    """What packets were that are no flow: `header` and `packets`."""

class Records(Iterator[dict[str, Any]]):
    """An iterator over records.

    A thread of its own reads the captures, from the first `next()` on, without the interpreter; about 1500 records wait at
    most. Flows are in the order in which they end. Errors of a capture come behind all records of all captures: a
    `CaptureWarning` for one that is damaged, else an exception. Of several exceptions, each `next()` raises one.
    """

    @property
    def stats(self) -> Optional[Stats]:
        """What was seen and lost, when all records were taken; `None` before."""

    def close(self) -> None:
        """Stops reading: there are no more records. So does dropping the iterator, and leaving `with`."""

    def __iter__(self) -> Records: ...
    def __next__(self) -> dict[str, Any]: ...
    def __enter__(self) -> Records: ...
    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> None: ...

def flows(
    captures: Union[_Path, Iterable[_Path]],
    *,
    where: Optional[str] = None,
    filter: Optional[str] = None,
    protocol: Union[str, Iterable[str], None] = None,
    fields: Union[str, Iterable[str], None] = None,
    times: Literal["text", "ns"] = "text",
    active: Optional[_Time] = None,
    tcp_idle: Optional[_Time] = None,
    udp_idle: Optional[_Time] = None,
    other_idle: Optional[_Time] = None,
    linger: Optional[_Time] = None,
    max_flows: Optional[int] = None,
    memory: Optional[_Size] = None,
    vlan_key: bool = False,
    community_id_seed: int = 0,
    checksums: Optional[Literal["off", "count", "exclude"]] = None,
    overlap: Optional[Literal["first", "last", "bsd", "linux"]] = None,
    resets: Optional[Literal["in-sequence", "any"]] = None,
    eviction: Optional[Literal["oldest", "half-open-first"]] = None,
    workers: Optional[int] = None,
) -> Records:
    """Reads the flows of capture files; several files are read as one capture, in this order.

    Raises `OSError` for a file that is not there, `ValueError` for a value that is not understood, and `TypeError`.
    """

def sessions(
    captures: Union[_Path, Iterable[_Path]],
    *,
    where: Optional[str] = None,
    filter: Optional[str] = None,
    protocol: Union[str, Iterable[str], None] = None,
    fields: Union[str, Iterable[str], None] = None,
    times: Literal["text", "ns"] = "text",
    active: Optional[_Time] = None,
    tcp_idle: Optional[_Time] = None,
    udp_idle: Optional[_Time] = None,
    other_idle: Optional[_Time] = None,
    linger: Optional[_Time] = None,
    max_flows: Optional[int] = None,
    memory: Optional[_Size] = None,
    vlan_key: bool = False,
    community_id_seed: int = 0,
    checksums: Optional[Literal["off", "count", "exclude"]] = None,
    overlap: Optional[Literal["first", "last", "bsd", "linux"]] = None,
    resets: Optional[Literal["in-sequence", "any"]] = None,
    eviction: Optional[Literal["oldest", "half-open-first"]] = None,
    workers: Optional[int] = None,
) -> Records:
    """Reads the records of application protocols in capture files: one per transaction, handshake or message.

    `app_proto` says which protocol a record is of; records of one protocol have the same fields. Otherwise as `flows`.
    """
