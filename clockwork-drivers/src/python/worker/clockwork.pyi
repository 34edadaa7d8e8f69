"""What a check can import from Clockwork, which is there when Clockwork runs it: nothing has to be installed."""

from typing import Any, Awaitable, Callable, Dict, List, Optional, Tuple, TypedDict, TypeVar, Union, overload

class _Passed(TypedDict):
    passed: bool

class Verdict(_Passed, total=False):
    """A verdict with its evidence. Other keys are kept in the report's `details`, too."""

    message: Optional[str]
    expected: Any
    actual: Any
    details: Dict[str, Any]

# What a check returns. `None` is a pass: then it was an `assert` that could have failed.
Result = Union[None, bool, Tuple[bool, str], Verdict, Dict[str, Any]]

class Namespace(Dict[str, Any]):
    """A map whose entries are attributes, too."""

    def __getattr__(self, name: str) -> Any: ...

class Resource(Namespace):
    """What a check is about: its fields by name, as attributes and as entries."""

    name: str
    kind: str
    description: Optional[str]
    depends_on: List[str]
    # The fields of its kind, as the manifest has them.
    spec: Namespace
    # What is there, looked at when it is asked for; `None` where there is nothing.
    observation: Any

_Check = TypeVar("_Check", bound=Callable[..., Union[Result, Awaitable[Result]]])

@overload
def assertion(function: _Check) -> _Check:
    """Marks a function as a check: `@assertion`."""

@overload
def assertion(*, resource: Optional[str] = None) -> Callable[[_Check], _Check]:
    """Marks a function as a check of this resource: `@assertion(resource="nginx")`."""
