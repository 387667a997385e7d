"""What the twin of GitHub keeps beside git, for tests that look at it or change it as a stranger would."""

from typing import cast

from connectors.github.bare import BareRepository
from connectors.github.twin.bodies import RepositoryPage, Site
from connectors.github.twin.contents import Place
from connectors.github.twin.writes import Kept, Writes
from tests.connectors.github.recorded import Served
from tests.connectors.github.shop import Shop


def kept_by(twin: Served, shop: Shop) -> Kept:
    """Of `acme/shop`."""
    place = Place(RepositoryPage(Site(twin.address), "acme", "shop"), BareRepository(shop.bare))
    return cast("Writes", twin.app.state.writes).kept(place)
