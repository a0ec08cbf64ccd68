"""The shop as an app that leaves it to `celery worker -E` whether its workers send events."""

from tests.acceptance.shop_app import app

app.conf.worker_send_task_events = False
