"""Power cuts from outside: a recorded broker, a disk that forgets, and what clients were promised until then."""
from .judge import judged
from .load import Load
from .model import Disk
from .record import Kind, Record, build
from .run import Cut, Recorded, opens

__all__ = ["Cut", "Disk", "Kind", "Load", "Record", "Recorded", "build", "judged", "opens"]
