"""How one code point is read: its class, and the code point it stands for.

The table is worked out once, in training, and travels with the model, so that a model reads text
the same way under every Python version. It is paged because most pages are alike: the entry of
code point `cp` is `pages[page_of[cp // PAGE], cp % PAGE]`, which is `class << 24 | target`, where
target 0 means the code point itself.
"""

PAGE = 256
CODE_POINTS = 0x110000

OTHER, LETTER, CAPITAL, DIGIT, SPACE, MARK, IGNORED = range(7)
"""Classes. MARK is punctuation or a symbol that stands for itself; IGNORED leaves no trace
(zero-width characters, combining accents); OTHER separates like SPACE."""

CLASS_SHIFT = 24
TARGET_MASK = (1 << CLASS_SHIFT) - 1
