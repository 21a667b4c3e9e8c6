"""What moves as a whole: backup and restore of the embedded databases, the move to other ones, the export."""

from __future__ import annotations

from index.transfer.copies import Manifest, backup, restore
from index.transfer.export import export_posts
from index.transfer.relocation import Moved, move

__all__ = ["Manifest", "Moved", "backup", "export_posts", "move", "restore"]
