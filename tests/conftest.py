"""What every test stands on: 64-bit numbers without silent promotion, a private compile cache, a home of its own."""

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# The same examples on every machine, however slow; `make test ARGS="--hypothesis-profile=search"` looks for new ones.
STEADY = hypothesis.settings(
    deadline=None, database=None, print_blob=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile("steady", STEADY, derandomize=True)
hypothesis.settings.register_profile("search", STEADY, max_examples=1000)
hypothesis.settings.load_profile("steady")

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "jax"
CACHE.mkdir(mode=0o700, parents=True, exist_ok=True)
GROWTH = 1_000_000_000  #: bytes that a test process may grow by before compiled code is let go
HELD = {"next": 2 * GROWTH}

# Set before anything imports JAX, by variables rather than by jax.config: the record's tests never import JAX, and a
# child process inherits them. A test of code that promotes on purpose says so: `with jax.numpy_dtype_promotion(...)`.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the workers are the parallel part
os.environ["JAX_ENABLE_X64"] = "1"
os.environ["JAX_NUMPY_DTYPE_PROMOTION"] = "strict"
os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_COMPILATION_CACHE_DIR"] = str(CACHE)
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.2"

#: The project's data folder lies beside the checkout; it is not part of the repository.
SHARED = Path(os.environ.get("MEDTWIN_SHARED_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test ever touches a person's own home folder of medtwin."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("MEDTWIN_HOME", str(home))
    monkeypatch.delenv("MEDTWIN_STORE", raising=False)
    return home


@pytest.fixture(autouse=True)
def memory_stays_bounded() -> Iterator[None]:
    """Compiled code of hundreds of tests fills gigabytes: now and then it goes; the disk cache has it still."""
    yield
    if "jax" in sys.modules and resident() > HELD["next"]:
        sys.modules["jax"].clear_caches()
        gc.collect()
        HELD["next"] = max(resident() + GROWTH, 2 * GROWTH)


def resident() -> int:
    """Bytes of this process in memory; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    except OSError:
        return 0


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real files; a test that asks for them is skipped, with the reason, where they are missing."""
    if not SHARED.is_dir():
        pytest.skip(f"the data folder {SHARED} is missing: set MEDTWIN_SHARED_DATA to where it lies")
    return SHARED
