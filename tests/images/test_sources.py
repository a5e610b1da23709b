"""What is read of each layout, and what is told of files that are not as they should be."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from llmnas_mcp.errors import DataError
from llmnas_mcp.images import load_images
from llmnas_mcp.images.images import Images
from llmnas_mcp.images.sources import read_images
from tests.images.made import cifar, class_folders, idx, pictures, save_picture


def test_digits_need_no_download_and_are_always_split_alike(tmp_path: Path) -> None:
    one, other = load_images("digits", tmp_path), load_images("digits", tmp_path)
    assert (one.shape.resolution, one.shape.channels, one.shape.classes) == (8, 1, 10)
    assert (len(one.train_y), len(one.test_y)) == (1438, 359)
    assert one.digest == other.digest
    assert set(np.bincount(one.test_y)) <= {35, 36, 37}
    normal = one.normalise(one.train_x)
    assert (normal.shape, normal.dtype) == ((1438, 1, 8, 8), np.float32)
    assert abs(normal.mean()) < 1e-4
    assert abs(normal.std() - 1) < 1e-4


@pytest.mark.parametrize(
    ("parts", "test"), [((".",), 2), (("train", "test"), 8), (("train", "val"), 8), (("train",), 2)]
)
def test_class_folders_are_split_as_they_say_else_by_a_seed(tmp_path: Path, parts: tuple[str, ...], test: int) -> None:
    found = read_images(class_folders(tmp_path / "pets", parts))
    assert found.classes == ("cat", "dog")
    assert found.name == "pets"
    assert len(found.test_y) == test
    assert any("no test images" in note for note in found.notes) == (test == 2)
    assert len(found.train_y) + test == 8 * len(parts)


def test_pixels_of_a_folder_are_those_of_its_files(tmp_path: Path) -> None:
    found = read_images(class_folders(tmp_path, ("train", "test")))
    with Image.open(tmp_path / "train" / "cat" / "0.png") as image:
        assert (found.train_x[0] == np.asarray(image)).all()
    assert found.train_y.tolist() == [0] * 4 + [1] * 4


def test_a_folder_of_grey_images_has_one_channel_and_of_some_grey_ones_three(tmp_path: Path) -> None:
    class_folders(tmp_path, mode="L")
    assert read_images(tmp_path).shape.channels == 1
    colour = save_picture(tmp_path / "cat" / "colour.png")
    found = read_images(tmp_path)
    assert found.shape.channels == 3
    assert any("8 of 9 images are grey, the first" in note for note in found.notes), colour


def test_images_of_differing_sizes_need_a_resolution_which_is_told(tmp_path: Path) -> None:
    class_folders(tmp_path)
    odd = save_picture(tmp_path / "dog" / "wide.png", (20, 12))
    with pytest.raises(DataError, match=rf"differ in size: .*8x8 pixels, {odd} 20x12\. .*--resolution 8"):
        read_images(tmp_path)
    found = read_images(tmp_path, resolution=10)
    assert found.shape.resolution == 10
    assert "Images of 8x8 to 20x12 pixels are scaled to 10x10, their middle cut out" in found.notes[0]


def test_a_damaged_image_is_told_with_its_file(tmp_path: Path) -> None:
    class_folders(tmp_path)
    broken = tmp_path / "cat" / "2.png"
    broken.write_bytes(broken.read_bytes()[:60])
    with pytest.raises(DataError, match=rf"{broken} is damaged, or no image .* Mend or remove it"):
        read_images(tmp_path)
    broken.write_text("nothing of the kind")
    with pytest.raises(DataError, match=rf"{broken} is damaged"):
        read_images(tmp_path)


def test_an_image_of_16_bits_is_refused_with_its_file(tmp_path: Path) -> None:
    class_folders(tmp_path)
    deep = tmp_path / "dog" / "deep.png"
    Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 900).save(deep)
    with pytest.raises(DataError, match=rf"{deep} has more than 8 bits a pixel .* Convert it first"):
        read_images(tmp_path)


def test_one_class_or_too_few_images_of_one_are_refused(tmp_path: Path) -> None:
    for i in range(4):
        save_picture(tmp_path / "cat" / f"{i}.png", seed=i)
    with pytest.raises(DataError, match="has one class, 'cat': give images of at least two"):
        read_images(tmp_path)
    save_picture(tmp_path / "dog" / "0.png")
    with pytest.raises(DataError, match="class 'dog' has 1 image to train on: give at least 3"):
        read_images(tmp_path)


def test_a_class_that_only_the_test_images_have_is_refused(tmp_path: Path) -> None:
    class_folders(tmp_path, ("train", "test"))
    save_picture(tmp_path / "test" / "bird" / "0.png")
    with pytest.raises(DataError, match="no training image is of class 'bird'"):
        read_images(tmp_path)


@pytest.mark.parametrize("classes", [10, 100])
@pytest.mark.parametrize("unpacked", [False, True])
def test_cifar_is_read_as_published_packed_or_not(tmp_path: Path, classes: int, unpacked: bool) -> None:
    path = cifar(tmp_path, classes, each=classes)
    if unpacked:
        import tarfile

        with tarfile.open(path) as archive:
            archive.extractall(tmp_path / "out", filter="data")
        path = tmp_path / "out"
    if classes == 100:
        with pytest.raises(DataError, match="class 'class0' has 1 image to train on"):
            read_images(path)
        path = cifar(tmp_path, classes, each=200)
    found = read_images(path)
    assert (found.shape.resolution, found.shape.channels, found.shape.classes) == (32, 3, classes)
    seed = 1 if classes == 10 else 0
    assert (found.train_x[:10] == pictures(classes if classes == 10 else 200, 32, seed=seed)[:10]).all()
    assert found.classes[3] == "class3"
    assert len(found.train_y) == (50 if classes == 10 else 200)


def test_what_a_pickle_of_an_archive_asks_for_is_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return __import__("os").system, (f"touch {tmp_path}/ran",)

    folder = tmp_path / "cifar"
    folder.mkdir()
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta"):
        (folder / name).write_bytes(pickle.dumps({b"data": Evil()}, protocol=2))
    with pytest.raises(DataError, match=r"data_batch_1: refused the global \w+\.system"):
        read_images(folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("packed", [True, False])
def test_idx_files_of_mnist_are_read_packed_or_not(tmp_path: Path, packed: bool) -> None:
    found = read_images(idx(tmp_path / "fashion", packed=packed))
    assert (found.shape.resolution, found.shape.channels, found.shape.classes) == (28, 1, 10)
    assert (found.train_x == pictures(30, 28, 1)).all()
    assert (len(found.train_y), len(found.test_y)) == (30, 30)


def test_an_idx_file_that_is_cut_off_is_told(tmp_path: Path) -> None:
    idx(tmp_path / "fashion", packed=False)
    cut = tmp_path / "fashion" / "t10k-images-idx3-ubyte"
    cut.write_bytes(cut.read_bytes()[:-5])
    with pytest.raises(DataError, match=f"{cut} is cut off"):
        read_images(tmp_path / "fashion")


def npz(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)
    return path


LABELS = np.arange(40) % 4


def test_npz_is_read_with_a_test_part_or_without_channels_first_or_last(tmp_path: Path) -> None:
    x = pictures(40)
    whole = read_images(npz(tmp_path / "a.npz", x_train=x, y_train=LABELS, x_test=x, y_test=LABELS))
    assert (len(whole.train_y), len(whole.test_y)) == (40, 40)
    first = read_images(npz(tmp_path / "b.npz", x=x.transpose(0, 3, 1, 2), y=LABELS[:, None] + 7))
    assert first.classes == ("7", "8", "9", "10")
    assert (first.train_x.shape[1:], len(first.test_y)) == ((8, 8, 3), 8)
    grey = read_images(npz(tmp_path / "c.npz", x=x[..., 0], y=LABELS, classes=np.array(list("abcd"))), resolution=16)
    assert (grey.shape.channels, grey.shape.resolution, grey.classes) == (1, 16, ("a", "b", "c", "d"))


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"x": pictures(40) / 255, "y": LABELS}, "x is of type float64; images are bytes.*multiply"),
        ({"x": pictures(40).astype(np.uint16), "y": LABELS}, "x is of type uint16; .*divide by 257"),
        ({"x": pictures(40), "y": LABELS[:-1]}, "40 images in x, but 39 labels in y"),
        ({"x": pictures(40), "y": LABELS / 2}, "y is float64 of shape"),
        ({"x": pictures(40), "z": LABELS}, "has the arrays x, z: give x_train"),
        ({"x": pictures(40, channels=2), "y": LABELS}, r"x is of shape \(40, 8, 8, 2\)"),
        ({"x": pictures(40), "y": LABELS * 0}, "has one class, '0'"),
        ({"x": pictures(40)[:, :6], "y": LABELS}, "images of 8x6 pixels, .*--resolution 6"),
        ({"x": np.array([{}] * 40), "y": LABELS}, "cannot be read .*allow_pickle"),
    ],
)
def test_an_npz_that_is_not_as_it_should_be_is_told(tmp_path: Path, arrays: dict[str, np.ndarray], told: str) -> None:
    with pytest.raises(DataError, match=f"mine.npz.*{told}"):
        read_images(npz(tmp_path / "mine.npz", **arrays))


def test_a_path_that_is_nothing_of_the_kind_is_told_what_would_be(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(DataError, match=r"notes.txt is nothing that can be read as images\. Give a folder"):
        read_images(tmp_path / "notes.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="has no image in folders of classes"):
        read_images(tmp_path / "empty")


def test_one_value_everywhere_is_no_division_by_zero() -> None:
    flat, y = np.full((8, 4, 4, 1), 7, np.uint8), np.arange(8) % 2
    found = Images("flat", flat, y, flat, y, ("a", "b"))
    assert np.isfinite(found.normalise(flat)).all()
