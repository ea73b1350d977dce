"""Files of the repository on the site.

- A link to `repo:PATH` leads to that file of the repository, if `repo_url` is set; otherwise only its text is left. A path that
  does not exist is a warning, and so an error with `--strict`.
- The measurements (`examples/measured`) and the pictures of a report become part of the site as they are.
- Markup that no extension read is a warning: a reader would see it as text.
- A page that loads something from the network is a warning: the site is read offline.
"""

import logging
import pathlib
import posixpath
import re

from mkdocs.structure.files import File

ROOT = pathlib.Path(__file__).resolve().parents[1]
MEASURED = "examples/measured"
LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(repo:([^)#\s]*)(#[^)\s]*)?\)")
RELATIVE = re.compile(r"\]\((?![a-z]+:|#)([^)\s]+)\)")
FETCHED = re.compile(r"""<(?:script|img|iframe|link rel="stylesheet")[^>]*\s(?:src|href)="(?:https?:)?//[^"]*""")
UNREAD = re.compile(r"<p>(?:\?\?\?|!!!|===|```|--8<--)[^<]*")
log = logging.getLogger("mkdocs.hooks")


def on_files(files, config):
    """Adds the page of measurements, the files beside it, and the pictures of a report."""
    folder = ROOT / MEASURED
    page = RELATIVE.sub(lambda link: f"]({own(link[1])})", (folder / "README.md").read_text(encoding="utf-8"))
    files.append(File.generated(config, "measured/all.md", content=page))
    for path in sorted(folder.iterdir()):
        if path.suffix in {".csv", ".png", ".svg"}:
            files.append(File.generated(config, f"measured/{path.name}", abs_src_path=str(path)))
    for name in ("report.png", "report-dark.png"):
        files.append(File.generated(config, name, abs_src_path=str(ROOT / "examples" / name)))
    return files


def own(target):
    """A target of a link on the page of measurements: a file beside it, or `repo:` and the path of another file."""
    path, hash, part = target.partition("#")
    whole = posixpath.normpath(posixpath.join(MEASURED, path))
    beside = posixpath.dirname(whole) == MEASURED and whole != MEASURED
    return target if beside else f"repo:{whole}{hash}{part}"


def on_page_markdown(markdown, page, config, files):
    """Resolves links to files of the repository."""

    def link(match):
        text, path, part = match.groups(default="")
        if not (ROOT / path).exists():
            log.warning("%s: the repository has no %s", page.file.src_uri, path)
        if not config.repo_url:
            return text
        return f"[{text}]({config.repo_url.rstrip('/')}/blob/HEAD/{path}{part})"

    return LINK.sub(link, markdown)


def on_post_page(output, page, config):
    """Looks for what a page would load from the network, and for markup that was left as text."""
    for tag in FETCHED.findall(output):
        log.warning("%s: it is not for reading offline: %s", page.file.src_uri, tag)
    for text in UNREAD.findall(output):
        log.warning("%s: this markup was not read: %s", page.file.src_uri, text.removeprefix("<p>"))
    return output
