"""Run LLM agents on Celery."""
