package import ArgumentParser

/// What every process of a service may be told.
package struct ProcessOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The folder with this process's keys, as `nephele keys` makes it; NEPHELE_BUS_KEYS by default. What goes over "
                + "tcp is encrypted then, and whoever is not on the list is refused.", valueName: "folder"))
    package var busKeys: String?

    @OptionGroup package var file: ConfigurationOption

    package init() {}
}
