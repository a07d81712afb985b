"""Kong's declarative file with the filters of a package only."""

import re

ITEM = re.compile(r"^( *)- name: gatehouse_(\w+)\s*$")


def only(text, filters):
    """Returns `text` without the items of filter chains whose filter is not in `filters`.

    The comments right above an item belong to it. A chain that has no filter left is not valid in
    Kong: leave one in.
    """
    kept, pending, skipped = [], [], None
    for line in text.splitlines(keepends=True):
        item, bare = ITEM.match(line), line.strip()
        depth = len(line) - len(line.lstrip(" "))
        if item:
            skipped = None if item[2] in filters else len(item[1])
        elif skipped is not None and bare and depth <= skipped and not bare.startswith("#"):
            skipped = None
        if not bare or bare.startswith("#"):
            pending.append(line)
            continue
        if skipped is None:
            kept += pending + [line]
        pending = []
    return "".join(kept + pending)
