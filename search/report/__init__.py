"""What a search found: as JSON, in words, on a terminal and as a page."""

from .record import Record as Record
from .record import best as best
from .summary import Summary as Summary
from .summary import holds as holds
from .summary import summarise as summarise
from .terminal import show as show
