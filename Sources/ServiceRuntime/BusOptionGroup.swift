package import ArgumentParser

/// What every process on the bus may be told of it.
package struct BusOptionGroup: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The folder with this process's keys, as `nephele keys` makes it; NEPHELE_BUS_KEYS by default. What goes over "
                + "tcp is encrypted then, and whoever is not on the list is refused.", valueName: "folder"))
    package var busKeys: String?

    package init() {}
}
