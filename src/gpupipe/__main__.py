"""`python -m gpupipe` is `gpupipe`."""

from gpupipe.main import run

if __name__ == "__main__":
    run()
