"""The contract itself: its tests and its page tell the same promises, and none hides another."""

import re
from collections import Counter
from pathlib import Path

from sessionstore.testing import ConversationContract, DurabilityContract, RecordConversationContract, StoreContract

PAGE = Path(__file__).parents[2] / "docs" / "contract.md"
REQUESTS = Path(__file__).with_name("test_requests.py")


def promises_of(contract):
    return {name: test for name, test in vars(contract).items() if name.startswith("test_")}


TOPICS = [
    topic
    for topic in (*StoreContract.__mro__, ConversationContract, RecordConversationContract, DurabilityContract)
    if promises_of(topic)
]


def test_every_test_opens_with_its_promise():
    unnumbered = [
        name
        for topic in TOPICS
        for name, test in promises_of(topic).items()
        if not re.fullmatch(r"[A-Z]\d+: [A-Z].*\.", (test.__doc__ or "").partition("\n")[0])
    ]
    assert unnumbered == []


def test_no_test_hides_another():
    names = Counter(name for topic in TOPICS for name in promises_of(topic))
    assert [name for name, count in names.items() if count > 1] == []


def test_page_and_tests_have_the_same_promises():
    tested = {test.__doc__.partition(":")[0] for topic in TOPICS for test in promises_of(topic).values()}
    tested |= set(re.findall(r'"""(Q\d+): ', REQUESTS.read_text()))
    written = re.findall(r"^- \*\*([A-Z]\d+)\*\* ", PAGE.read_text(), re.MULTILINE)
    assert len(written) == len(set(written))
    assert set(written) == tested
