"""vggnet: the whole VGG family in one package."""

__version__ = "0.1.0"
