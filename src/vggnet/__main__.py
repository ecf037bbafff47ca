"""`python -m vggnet`, the same as the command `vggnet`."""

from vggnet.cli import main

if __name__ == "__main__":
    main()
