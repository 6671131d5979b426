"""The code as something to read: what tests that judge the source, and not its behaviour, walk over."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "webapp"


@dataclass(frozen=True)
class Module:
    """One file of the package; `name` is its path below webapp/."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(PACKAGE).as_posix()

    @property
    def dotted(self) -> str:
        """The name by which it is imported."""
        return ".".join(self.path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.name)

    @cached_property
    def imports(self) -> dict[str, str]:
        """What each imported name stands for: {"AESGCM": "cryptography.hazmat.….AESGCM"}."""
        found: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for name in node.names:
                    found[name.asname or name.name.partition(".")[0]] = name.name if name.asname else _first(name.name)
            elif isinstance(node, ast.ImportFrom):
                found |= {name.asname or name.name: f"{node.module}.{name.name}" for name in node.names}
        return found

    def imported_modules(self) -> set[str]:
        """The full dotted names of everything imported."""
        found = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {name.name for name in node.names}
            elif isinstance(node, ast.ImportFrom):
                found |= {f"{node.module}.{name.name}" for name in node.names}
        return found

    def resolved(self, node: ast.expr) -> str:
        """The dotted name of what `node` names, imports followed; "" for what is no name."""
        if isinstance(node, ast.Name):
            return self.imports.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            owner = self.resolved(node.value)
            return f"{owner}.{node.attr}" if owner else ""
        return ""

    def calls(self) -> Iterator[tuple[str, ast.Call]]:
        """Every call with the dotted name of what is called."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield self.resolved(node.func), node

    def uses(self) -> set[str]:
        """The dotted names of imported things that the code mentions, called or handed on."""
        nodes = (node for node in ast.walk(self.tree) if isinstance(node, ast.Name | ast.Attribute))
        names = {self.resolved(node) for node in nodes}
        return {
            name for name in names if name.partition(".")[0] in {_first(dotted) for dotted in self.imports.values()}
        }

    def where(self, node: ast.AST) -> str:
        """File and line, for a message."""
        return f"webapp/{self.name}:{getattr(node, 'lineno', 0)}"


@cache
def modules() -> tuple[Module, ...]:
    """Every file of the package."""
    return tuple(Module(path) for path in sorted(PACKAGE.rglob("*.py")))


def literal(node: ast.expr | None) -> str | None:
    """The text of a string that is written out."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def log_calls() -> Iterator[tuple[Module, str, ast.Call]]:
    """Every call that writes a log line: its module, the event's name, the call."""
    for module in modules():
        for name, call in module.calls():
            function = call.func.attr if isinstance(call.func, ast.Attribute) else name.rpartition(".")[2]
            levels = ("debug", "info", "warning", "error", "critical", "exception")
            writes = function in ("log_security", "security_log") or (
                function in levels and isinstance(call.func, ast.Attribute) and "log" in ast.unparse(call.func.value)
            )
            if writes and call.args and (event := literal(call.args[0])) is not None:
                yield module, event, call


def _first(dotted: str) -> str:
    return dotted.partition(".")[0]
