import pytest

from scenelift.datasets.nyu40 import NYU40_NAMES
from scenelift.render.formats.suncg.classes import (
    UNKNOWN,
    ModelClass,
    class_of,
    parse_classes,
    semantic_id,
)
from scenelift.render.scene import SceneError

HEADER = b"index,model_id,fine_grained_class,coarse_grained_class,empty_struct_obj,nyuv2_40class,wnsynsetid,wnsynsetkey\n"


def test_columns_are_found_by_name() -> None:
    table, warnings = parse_classes(
        b"nyuv2_40class,model_id,fine_grained_class\nsofa,9,couch\n", where="t.csv"
    )
    assert table == {"9": ModelClass(category="couch", semantic=NYU40_NAMES.index("sofa"))}
    assert warnings == ()


def test_every_name_of_nyu40_in_its_own_spelling() -> None:
    rows = b"".join(
        b"%d,m%d,x,y,2,%s,,\n" % (k, k, name.encode()) for k, name in enumerate(NYU40_NAMES)
    )
    table, warnings = parse_classes(HEADER + rows, where="t.csv")
    assert [table[f"m{k}"].semantic for k in range(41)] == list(range(41))
    assert warnings == ()


def test_quotes_blanks_short_rows_and_byte_order_marks() -> None:
    data = b"\xef\xbb\xbf" + HEADER + b'1, 7 ,"a ""b"", c",x,2,Night Stand,,\r\n2,8\r\n\r\n'
    table, _ = parse_classes(data, where="t.csv")
    assert table["7"] == ModelClass(category='a "b", c', semantic=32)
    assert table["8"] == UNKNOWN


def test_names_that_nyu40_lacks_are_counted() -> None:
    table, warnings = parse_classes(
        HEADER + b"1,7,a,b,2,dragon,,\n2,8,a,b,2,dragon,,\n", where="t.csv"
    )
    assert table["7"] == ModelClass(category="a", semantic=0)
    assert len(warnings) == 1
    assert "2 models of the class 'dragon'" in warnings[0]


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", b"a,b,c\n1,2,3\n", HEADER[10:], b"\xff\xfe\x00", HEADER + b'1,"' + b"a" * 200_000],
)
def test_what_is_no_such_table(data: bytes) -> None:
    with pytest.raises(SceneError, match=r"t\.csv"):
        parse_classes(data, where="t.csv")


def test_numbers_without_a_table_are_unknown() -> None:
    assert class_of("122", {}) == class_of("s__1000", {}) == UNKNOWN
    assert class_of("office chair", {}).semantic == 5
    assert class_of("gizmo", {}) == ModelClass(category="gizmo", semantic=0)


@pytest.mark.parametrize("name", ["void", "VOID", " ", ""])
def test_void_is_unknown(name: str) -> None:
    assert semantic_id(name) == 0
