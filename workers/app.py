"""The Celery app of this deployment: `celery -A workers.app worker`, `orchestrator -A workers.app …`."""

from orchestrator import create_app
from tasks import (
    airline,
    announcement,
    blog,
    explanation,
    finance,
    inbox,
    languages,
    research,
    story,
    support_demo,
    support_desk,
    translation,
    translation_desk,
    weather,
)

# One job a file; `docs/jobs.md` says what each shows.
JOBS = [
    *[support_desk, airline, languages, weather, announcement, translation_desk, explanation],
    *[blog, research, story, translation, inbox, finance],
]

app = create_app("support", modules=JOBS, task_default_queue="agents")

DEMO = support_demo.DEMO
