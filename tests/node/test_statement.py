"""The conformance statement says what the node does."""

import math
from pathlib import Path

import pytest
from hospital import ct_series
from pydicom.uid import CTImageStorage, DeflatedExplicitVRLittleEndian
from pynetdicom import AE, build_context
from pynetdicom.sop_class import MRImageStorage, Verification

from unmetal.files.dicom.pixels import MAX_PIXELS
from unmetal.node.listening import ANNOUNCED_PDU_BYTES, MAX_PDU_BYTES
from unmetal.node.receiver import REQUEST_TIMEOUT_S, TRANSFER_SYNTAXES
from unmetal.sending.application_entity import IMPLEMENTATION_CLASS_UID

STATEMENT = (Path(__file__).resolve().parents[2] / "docs" / "conformance.md").read_text()


@pytest.mark.parametrize("syntax", TRANSFER_SYNTAXES, ids=str)
def test_every_transfer_syntax_is_accepted_and_stated(make_node, syntax) -> None:
    assert f" {syntax}" in STATEMENT or f", .{syntax.rpartition('.')[2]}" in STATEMENT
    entity = AE("SCANNER")
    contexts = [build_context(CTImageStorage, [DeflatedExplicitVRLittleEndian, syntax])]
    where = ("127.0.0.1", make_node().receiver.port)
    association = entity.associate(*where, ae_title="UNMETAL", contexts=contexts)
    (accepted,) = association.accepted_contexts
    association.release()
    assert accepted.transfer_syntax == [syntax]


def test_what_is_negotiated_is_what_is_stated(make_node) -> None:
    entity = AE("SCANNER")
    contexts = [
        build_context(Verification),
        build_context(MRImageStorage),
        build_context(CTImageStorage, DeflatedExplicitVRLittleEndian),
    ]
    where = ("127.0.0.1", make_node().receiver.port)
    association = entity.associate(*where, ae_title="UNMETAL", contexts=contexts)
    assert [one.abstract_syntax for one in association.accepted_contexts] == [Verification]
    node = association.acceptor
    association.release()
    assert node.maximum_length == ANNOUNCED_PDU_BYTES
    assert node.implementation_class_uid == IMPLEMENTATION_CLASS_UID
    assert node.implementation_version_name.startswith("UNMETAL ")
    side = math.isqrt(MAX_PIXELS)
    for stated in (
        str(ANNOUNCED_PDU_BYTES),
        IMPLEMENTATION_CLASS_UID,
        f"{REQUEST_TIMEOUT_S:g} s",
        f"{side} x {side}",
    ):
        assert stated in STATEMENT
    assert MAX_PDU_BYTES == 1 << 20


def test_a_uid_that_was_dealt_with_is_not_compared(make_node) -> None:
    node, image = make_node(quiet_time=600), ct_series()[0]
    entity = AE("SCANNER")
    where = ("127.0.0.1", node.receiver.port)
    contexts = [build_context(CTImageStorage)]
    association = entity.associate(*where, ae_title="UNMETAL", contexts=contexts)
    assert association.send_c_store(image).Status == 0
    (path,) = node.spool.folder.glob("receiving/*/images/*.dcm")
    before = path.read_bytes()
    image.PatientID = "another"
    assert association.send_c_store(image).Status == 0
    association.release()
    assert path.read_bytes() == before
