"""Reports made without a kernel: a page says its region, tables and nothing else; some regions fail."""

from trajectories.runs import batch

PAGE = "<!doctype html>\n<html lang='fr-CA'><body><h1>{}</h1></body></html>\n"


def pages_without_kernels(monkeypatch, fails=()):
    """Instead of notebooks; gives the list of the regions whose pages are made, as they are."""
    made = []

    def run(jobs, *_, **__):
        for job in jobs:
            made.append(job.region)
            if job.region in fails:
                job.page.unlink(missing_ok=True)
                yield job, 0.1, "region_report.ipynb failed: RuntimeError: panne voulue"
            else:
                job.page.write_text(PAGE.format(job.region), encoding="utf-8")
                yield job, 0.1, None

    monkeypatch.setattr(batch, "_run", run)
    return made
