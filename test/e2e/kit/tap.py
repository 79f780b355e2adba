"""A test program in TAP: each check is one line, the exit code says whether all of them held.

    tap = Tap()
    @tap.test("the name says the property")
    def _(): assert ...
    tap.run()
"""
import os
import sys
import time
import traceback


class Skip(Exception):
    """Raised by a test that cannot run here; shown as a SKIP line, never as a failure."""


class Tap:
    def __init__(self):
        self.tests = []

    def test(self, name):
        def keep(body):
            self.tests.append((name, body))
            return body
        return keep

    def run(self, only=None):
        """Runs every test in order of definition and ends the program: 0 when none failed."""
        only = only or (sys.argv[1] if len(sys.argv) > 1 else None)
        chosen = [t for t in self.tests if only is None or only in t[0]]
        print(f"1..{len(chosen)}", flush=True)
        failed = 0
        for number, (name, body) in enumerate(chosen, 1):
            began = time.monotonic()
            try:
                body()
                took = int((time.monotonic() - began) * 1000)
                print(f"ok {number} - {name} # {took} ms", flush=True)
            except Skip as why:
                print(f"ok {number} - {name} # SKIP {why}", flush=True)
            except Exception:
                failed += 1
                print(f"not ok {number} - {name}", flush=True)
                for line in traceback.format_exc().splitlines():
                    print(f"# {line}", flush=True)
        if not chosen:
            print(f"# no test matches {only!r}")
        sys.exit(1 if failed or not chosen else 0)


def shared_dir():
    """The directory of shared test data, or None: env SILT_SHARED, else `shared` beside the
    checkout."""
    named = os.environ.get("SILT_SHARED")
    here = os.path.dirname(os.path.abspath(__file__))
    checkout = os.path.normpath(os.path.join(here, "..", "..", ".."))
    path = named or os.path.join(os.path.dirname(checkout), "shared")
    return path if os.path.isdir(path) else None


def need_shared(*parts):
    """The path of shared data under `parts`; raises Skip when it is not there."""
    root = shared_dir()
    path = os.path.join(root, *parts) if root else None
    if path is None or not os.path.exists(path):
        raise Skip(f"shared data {os.path.join(*parts)} is missing (set SILT_SHARED)")
    return path
