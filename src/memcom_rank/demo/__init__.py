"""Demo room (floor 4): a bundle -> a page that ranks in the browser, as a folder or served on this machine."""

from memcom_rank.demo.server import serve
from memcom_rank.demo.site import write_site

__all__ = ["serve", "write_site"]
