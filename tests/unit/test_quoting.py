"""What rehearsal scripts quote from a passage."""

from tasks.rehearsal.quoting import best_sentence


def test_sentence_with_most_words_of_the_question_is_quoted() -> None:
    text = "Workers wait for models most of the time. A worker that dies loses its lease. Queues are lists."

    assert best_sentence(text, "What if workers die with a lease?") == "A worker that dies loses its lease."


def test_code_tables_and_marks_are_no_sentences() -> None:
    text = "```\nWorkers = 4. Or more of them.\n```\n| Workers | many of them. |\n- **Workers** are Celery processes."

    assert best_sentence(text, "workers") == "Workers are Celery processes."


def test_text_without_a_sentence_is_quoted_from_its_beginning() -> None:
    assert best_sentence("one, two,\nthree", "two") == "one, two, three"
