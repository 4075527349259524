"""The tables of the regions by name. Only the wanted one is loaded: each takes 3 to 6 KB."""


def table(region):
    """Return a table for `Region`. region: EU868, US915, AS923 or AS923-2 to AS923-4."""
    if region == "EU868":
        from lorawan.regions import eu868

        return eu868
    if region == "US915":
        from lorawan.regions import us915

        return us915
    from lorawan.regions.as923 import Group

    return Group(region)
