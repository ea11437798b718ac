"""(e) Size: the artifact's zip beside that of a plain installation."""

import zipfile
from pathlib import Path
from tempfile import TemporaryFile

from tests.bench.installations import Installations
from tests.bench.section import Ceiling, Section

LIMIT_MB = 10

NOTES = (
    "Deflated, as SAM zips it. The artifact holds byte code, and botocore's data cut down to what the functions call; "
    "the plain installation holds neither.",
)


def measure(installed: Installations) -> Section:
    rows = [["size, MB", "zipped", "unpacked", "files"]]
    folders = {"the artifact": installed.artifact, "a plain installation": installed.plain}
    for name, folder in folders.items():
        files = [path for path in folder.rglob("*") if path.is_file()]
        unpacked = sum(path.stat().st_size for path in files)
        rows.append([name, f"{zipped(folder):.1f}", f"{unpacked / 1e6:.1f}", f"{len(files):,}"])
    return Section("Size", rows, NOTES, [Ceiling("the artifact's zip, MB", zipped(installed.artifact), LIMIT_MB)])


def zipped(folder: Path) -> float:
    """The size of the folder's zip in MB (millions of bytes)."""
    with TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(folder.rglob("*")):
                archive.write(path, path.relative_to(folder))
        return file.tell() / 1e6
