package import ArgumentParser

/// The options of every process of a service.
package struct ProcessOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The folder with this process's keys, as `nephele keys` makes it; NEPHELE_BUS_KEYS by default. Traffic over "
                + "tcp is encrypted then, and peers that are not on the list are refused.", valueName: "folder"))
    package var busKeys: String?

    @OptionGroup package var file: ConfigurationOption

    package init() {}
}
