"""Modules by names that people chose, of fields and of features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import nn


class NamedModules(nn.Module):
    """As `torch.nn.ModuleDict`, but any name will do: also ``type``, ``values``, or one with a dot.

    There a name becomes an attribute, which must not exist and has no dot.
    """

    def __init__(self, modules: Mapping[str, nn.Module] | None = None) -> None:
        super().__init__()
        self._names: dict[str, str] = {}
        for name, module in (modules or {}).items():
            self[name] = module

    def __setitem__(self, name: str, module: nn.Module) -> None:
        attribute = f"{name.replace('.', ',')}_"  # no attribute of torch ends so
        self._names[name] = attribute
        self.add_module(attribute, module)

    def __getitem__(self, name: str) -> nn.Module:
        return self.get_submodule(self._names[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def items(self) -> Iterator[tuple[str, nn.Module]]:
        """Give the names with their modules, in order."""
        return ((name, self[name]) for name in self._names)
