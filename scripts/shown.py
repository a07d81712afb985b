"""What one measurement says in the documents."""

from dataclasses import dataclass, field


@dataclass
class Shown:
    """Texts by name: blocks of lines, values within a line, and pictures by their path."""

    blocks: dict = field(default_factory=dict)
    values: dict = field(default_factory=dict)
    pictures: dict = field(default_factory=dict)
