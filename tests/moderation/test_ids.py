import uuid

from hypothesis import given
from hypothesis import strategies as st

from moderation.clock import now_ms
from moderation.ids import floor_id, new_id

times = st.integers(0, (1 << 48) - 1)


@given(times)
def test_an_id_is_a_version_7_uuid_of_its_time(at: int) -> None:
    made = uuid.UUID(hex=new_id(at))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == at


@given(times, times)
def test_ids_are_in_the_order_of_their_times(one: int, other: int) -> None:
    if one < other:
        assert new_id(one) < new_id(other)


@given(times)
def test_the_floor_is_below_all_ids_of_its_time_and_above_those_before(at: int) -> None:
    assert len(floor_id(at)) == 32
    assert floor_id(at) < new_id(at)
    assert at == 0 or new_id(at - 1) < floor_id(at)


def test_an_id_is_of_now_unless_told_otherwise() -> None:
    before = now_ms()
    assert before <= int(new_id(), 16) >> 80 <= now_ms()


def test_ids_of_one_moment_differ_in_all_their_random_bits() -> None:
    made = [int(new_id(1), 16) for _ in range(400)]
    ones = made[0]
    zeros = made[0]
    for number in made:
        ones |= number
        zeros &= number
    assert len(set(made)) == 400
    assert (ones ^ zeros).bit_count() == 74
