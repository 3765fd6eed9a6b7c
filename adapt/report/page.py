"""Putting the report together."""

from pathlib import Path

from scenelift.adapt.report import sections
from scenelift.adapt.report.embed import embed_moments
from scenelift.adapt.report.folder import RunFolder, read_run_folder
from scenelift.adapt.report.markup import escape
from scenelift.adapt.report.style import STYLE
from scenelift.adapt.verdicts import judge_run

# Nothing is loaded and nothing runs, whatever the files hold.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def write_report(run_folder: Path) -> Path:
    """Write `report.html`: one file that shows a run, whole or half finished, without network or script.

    What is missing is said on the page. The same folder gives the same bytes.

    Args:
        run_folder: What `adapt-train` writes to.

    Returns:
        The file.

    Raises:
        NotADirectoryError: if there is no such folder.
        OSError: if the file cannot be written.
    """
    page = build_page(read_run_folder(run_folder))
    path = run_folder / "report.html"
    part = path.with_name(path.name + ".part")
    part.write_text(page, encoding="utf-8")
    part.replace(path)
    return path


def build_page(run: RunFolder) -> str:
    """Write the page as HTML."""
    verdicts = [*judge_run(run.metrics, layers=run.layers), *sections.judge_audit(run.audit)]
    moments, troubles = embed_moments(run.pictures)
    judged, more = embed_moments({0: run.evaluation_pictures} if run.evaluation_pictures else {})
    body = [
        sections.summary(run, verdicts),
        sections.evaluation(run.evaluation, judged.get(0, []))
        if run.evaluation is not None
        else "",
        sections.pictures(moments),
        sections.curves(run.metrics, apart=sections.HEALTH_NAMES if run.adapts else ()),
        sections.domains(run.metrics, run.layers) if run.adapts else "",
        sections.shortcuts(run.audit, run.audited) if run.adapts else "",
        sections.configuration(run.config),
        sections.missing([*run.missing, *troubles, *more]),
    ]
    title = escape(run.name, max_characters=120)
    links = "".join(
        f'<a href="#{anchor}">{name}</a>'
        for anchor, name in (
            ("summary", "Summary"),
            *((("evaluation", "Benchmark"),) if run.evaluation is not None else ()),
            ("pictures", "Predictions"),
            ("curves", "Curves"),
            *((("domains", "Domains"), ("audit", "Shortcuts")) if run.adapts else ()),
            ("config", "Configuration"),
        )
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{title}: training report</title><style>{STYLE}</style></head><body>"
        f"<header><p>Training report</p><h1>{title}</h1><nav>{links}</nav></header>"
        f"<main>{''.join(body)}</main></body></html>\n"
    )
