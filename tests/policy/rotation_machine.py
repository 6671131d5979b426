"""One line of refresh tokens in the hands of its owner and of thieves, in any order that hypothesis can think of.

What holds, exactly:

- **One line.** Whoever is given a token is given one of the generation that is then current. Of all generations there
  ever were, at most two can be exchanged at a time, the current one and the one before, and both lead to the current
  line; from the leeway after a step on, one.
- **The owner.** Nobody who stole, nobody who ended it: then an owner is never signed out who asks again within the
  leeway, as the site's clock tells, whenever an answer was lost, and of whose tabs none still shows the token before
  the newest once another has shown the newest. (Two steps within one leeway leave whoever sleeps through both with a
  token two behind; that is a reuse whatever the time. The lock of a browser client's tabs is there to rule it out.)
- **The thief.** After every step, whoever holds the line and has not heard of that step is found out when coming back
  later than the leeway after it, or after a second step. So a theft stays unnoticed only while, after each step of one
  side, the other comes back within the leeway of it and before the next, or does not come back at all. It does *not*
  follow that the owner's very next refresh tells: within the leeway of the thief's step it is answered like a retry,
  and both hold the same token once more. That is what the leeway costs.
- **The end.** After it nothing is exchanged, whatever is shown and whatever the clock says.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from webapp.policy.rotation import FIRST_GENERATION, REUSED, Verdict, judge_refresh

START = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
LEEWAY = timedelta(seconds=30)
LIFE = timedelta(days=30)
TICK = timedelta(microseconds=1)
TABS = 3
OWNER, THIEF = "owner", "thief"
Judge = Callable[..., Verdict]

tab_numbers = st.integers(0, TABS - 1)
spans = st.sampled_from([1, 15, 31, 600, 86_400]).map(lambda seconds: timedelta(seconds=seconds))


@dataclass
class Row:
    """What the site keeps of a line. It changes by the verdict alone, one at a time: compare and swap sees to that."""

    current: int = FIRST_GENERATION
    rotated_at: datetime | None = None
    ended: bool = False


@dataclass(frozen=True)
class Step:
    """One rotation: by which side, and when by the site's clock."""

    side: str
    at: datetime


@dataclass
class Holder:
    """A tab of the owner, or a thief: the token it holds, and every step since then that it has not heard of."""

    side: str
    generation: int = FIRST_GENERATION
    unheard: list[Step] = field(default_factory=list)

    def copy(self, other: "Holder") -> None:
        self.generation, self.unheard = other.generation, list(other.unheard)


class Line(RuleBasedStateMachine):
    judge: Judge = staticmethod(judge_refresh)
    is_all_honest = False

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.row = Row()
        self.tabs = [Holder(OWNER) for _ in range(TABS)]
        self.thieves: list[Holder] = []
        self.store = Holder(OWNER)  # what the owner's tabs share: the newest token that one of them heard of
        self.newest_was_shown = False  # by a tab
        self.is_excused = False  # the owner was robbed, ended it, or did not ask again in time

    # The owner

    @rule(number=tab_numbers, is_heard=st.booleans())
    def a_tab_refreshes(self, number: int, is_heard: bool) -> None:
        """With what it holds while it may, else with what the tabs share."""
        tab = self.tabs[number]
        if not self.may_show(tab):
            tab.copy(self.store)
        if self.may_show(tab) or not self.is_all_honest:
            self.owner_shows(tab, is_heard)

    @precondition(lambda self: not self.is_all_honest)
    @rule(number=tab_numbers, is_heard=st.booleans())
    def a_tab_that_shares_nothing_refreshes(self, number: int, is_heard: bool) -> None:
        self.owner_shows(self.tabs[number], is_heard)

    @rule(number=tab_numbers)
    def a_tab_reads_what_is_shared(self, number: int) -> None:
        self.tabs[number].copy(self.store)

    @precondition(lambda self: not self.is_all_honest)
    @rule()
    def the_owner_signs_out(self) -> None:
        self.row.ended = self.is_excused = True

    def may_show(self, tab: Holder) -> bool:
        """Whether an honest app shows this token now: by what the app itself knows, and the time since its loss."""
        is_newest = tab.generation == self.store.generation
        is_in_the_same_round = tab.generation == self.store.generation - 1 and not self.newest_was_shown
        is_in_time = not tab.unheard or self.now - tab.unheard[0].at <= LEEWAY
        return (is_newest or is_in_the_same_round) and is_in_time

    def owner_shows(self, tab: Holder, is_heard: bool) -> None:
        self.is_excused = self.is_excused or not self.may_show(tab)
        if tab.generation == self.store.generation:
            self.newest_was_shown = True
        self.show(tab, is_heard)
        if tab.generation > self.store.generation:
            self.newest_was_shown = False
        if is_heard and tab.generation >= self.store.generation:
            self.store.copy(tab)

    # The thieves

    @precondition(lambda self: len(self.thieves) < 2 and not self.is_all_honest)
    @rule(number=tab_numbers)
    def a_thief_copies_what_a_tab_holds(self, number: int) -> None:
        thief = Holder(THIEF)
        thief.copy(self.tabs[number])
        self.thieves.append(thief)
        self.is_excused = True

    @precondition(lambda self: self.thieves)
    @rule(data=st.data(), is_heard=st.booleans())
    def a_thief_refreshes(self, data: st.DataObject, is_heard: bool) -> None:
        self.show(data.draw(st.sampled_from(self.thieves)), is_heard)

    # The clock

    @rule(span=spans)
    def time_passes(self, span: timedelta) -> None:
        self.now += span

    @rule(span=spans)
    def the_clock_is_put_back(self, span: timedelta) -> None:
        self.now -= span

    @precondition(lambda self: self.row.rotated_at is not None)
    @rule(more=st.sampled_from([-TICK, timedelta(0), TICK]))
    def the_leeway_is_about_to_end(self, more: timedelta) -> None:
        self.now = (self.row.rotated_at or self.now) + LEEWAY + more

    @precondition(lambda self: self.row.current > 4)  # late: little happens after it
    @rule(before=st.sampled_from([-TICK, timedelta(0), TICK]))
    def the_absolute_limit_comes_near(self, before: timedelta) -> None:
        self.now = max(self.now, START + LIFE - before)

    # The site

    def verdict_on(self, generation: int, now: datetime) -> Verdict:
        row = self.row
        return self.judge(
            presented=generation,
            current=row.current,
            rotated_at=row.rotated_at,
            ended=row.ended,
            expires_at=START + LIFE,
            now=now,
            leeway=LEEWAY,
        )

    def answer(self, side: str, generation: int) -> int | None:
        """Judge, change the row, and give the generation of the token that goes out."""
        verdict = self.verdict_on(generation, self.now)
        if verdict is Verdict.ROTATE:
            self.row = Row(self.row.current + 1, rotated_at=self.now)
            for holder in (*self.tabs, *self.thieves, self.store):
                holder.unheard.append(Step(side, self.now))
        elif verdict in REUSED:
            self.row = replace(self.row, ended=True)
        return self.row.current if verdict in (Verdict.ROTATE, Verdict.REPEAT) else None

    def show(self, holder: Holder, is_heard: bool) -> None:
        before, missed = replace(self.row), list(holder.unheard)
        given = self.answer(holder.side, holder.generation)
        self.check_answer(before, missed, holder, given)
        if given is not None and is_heard:
            holder.generation, holder.unheard = given, []

    # What holds

    def check_answer(self, before: Row, missed: list[Step], holder: Holder, given: int | None) -> None:
        if before.ended or self.now >= START + LIFE:
            assert given is None
            assert self.row == before, "what is over does not change"
        elif not missed:
            assert given == before.current + 1, "who is up to date goes on"
        elif len(missed) == 1 and self.now - missed[0].at <= LEEWAY:
            assert given == before.current, "a retry gets the current one"
            assert self.row == before, "a retry steps nothing"
        else:
            assert given is None
            assert self.row.ended, "who missed a step for longer than the leeway, or two, is found out"
        assert given in (None, self.row.current), "there is one line"
        others = [step for step in missed if step.side != holder.side]
        if others and self.now - others[0].at > LEEWAY and self.now < START + LIFE:
            assert self.row.ended, "a theft is noticed when the second side comes back after the leeway"

    @invariant()
    def nobody_is_ahead_of_the_row(self) -> None:
        assert all(holder.generation <= self.row.current for holder in (*self.tabs, *self.thieves, self.store))

    @invariant()
    def at_most_one_generation_outlives_the_leeway(self) -> None:
        assert set(self.exchangeable(self.now)) <= {self.row.current - 1, self.row.current}
        later = max(self.now, self.row.rotated_at or self.now) + LEEWAY + TICK
        alive = not self.row.ended and later < START + LIFE
        assert self.exchangeable(later) == ([self.row.current] if alive else [])

    @invariant()
    def an_honest_owner_is_signed_in(self) -> None:
        assert self.is_excused or not self.row.ended

    def exchangeable(self, now: datetime) -> list[int]:
        generations = range(FIRST_GENERATION, self.row.current + 2)
        return [number for number in generations if self.verdict_on(number, now) in (Verdict.ROTATE, Verdict.REPEAT)]


class HonestLine(Line):
    """Nobody steals, nobody signs out, and no tab misses its time: nothing may end this line before its limit."""

    is_all_honest = True

    @invariant()
    def nothing_is_to_be_excused(self) -> None:
        assert not self.is_excused
