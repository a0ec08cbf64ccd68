"""The blog: research side by side, an outline, and drafts until the critic is content."""

from typing import Any

from orchestrator import Settings, run_inline
from tasks.blog import MAX_DRAFTS, Critique, Facts, Outline, Post, Readers, Section, blog

REHEARSAL = Settings(model_api="rehearsal", rehearsal_latency_seconds=0)
TOPIC = "Why an agent that waits should hold no worker"


def test_second_draft_names_the_sources_that_the_critic_missed() -> None:
    result = run_inline(blog, TOPIC, settings=REHEARSAL)

    assert isinstance(result.final_output, Post)
    assert result.final_output.title == TOPIC
    assert ".md]" in result.final_output.body


def test_best_draft_is_kept_when_none_is_good_enough() -> None:
    drafts: list[Post] = []
    scores = iter([4, 7, 6])

    def answer(name: str, given: Any) -> Any:
        match name:
            case "blog.researcher":
                return Facts(facts=["Redis is fast."])
            case "blog.reader":
                return Readers(who="You.", questions=[])
            case "outline":
                return Outline(title="T", sections=[Section(heading="H", point="P")])
            case "blog.writer":
                drafts.append(Post(title="T", body=f"draft {len(drafts) + 1}"))
                return drafts[-1]
        return Critique(score=next(scores), problems=["Shorter."])

    post = blog.evaluate(TOPIC, answer)

    assert len(drafts) == MAX_DRAFTS
    assert post.body == "draft 2"


def test_writer_is_told_the_problems_beside_facts_and_draft() -> None:
    asked: list[str] = []

    def answer(name: str, given: Any) -> Any:
        match name:
            case "blog.researcher":
                return Facts(facts=["Redis is fast."])
            case "blog.reader":
                return Readers(who="You.", questions=[])
            case "outline":
                return Outline(title="T", sections=[])
            case "blog.writer":
                asked.append(given)
                return Post(title="T", body="draft")
        return Critique(score=9 if len(asked) == 2 else 5, problems=["Shorter.", "Name sources."])

    blog.evaluate(TOPIC, answer)

    assert "- Shorter.\n- Name sources." not in asked[0]
    assert "- Shorter.\n- Name sources." in asked[1]
    assert "Redis is fast." in asked[1]
