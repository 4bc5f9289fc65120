package import ArgumentParser

/// How a gateway listens and what it allows, alone or within `nephele up`.
package struct GatewayOptions: ParsableArguments {
    @Option(help: "The address that the gateway listens at.")
    package var host: String = "127.0.0.1"

    @Option(help: "The port that the gateway listens at; 0 for any that is free.")
    package var port: Int = 8080

    @Option(
        help: ArgumentHelp(
            "A YAML file with aliases, presets and routes; read again when it changes, and on SIGHUP.",
            discussion: "Without it, the standard routes.", valueName: "file"))
    package var routes: String?

    @Option(
        help: ArgumentHelp(
            "The content filter: off, default (blocks sexual text about minors, flags the rest), or a policy in YAML.",
            valueName: "policy"))
    package var filter: String = "default"

    @Option(
        help: ArgumentHelp(
            "Labels on generated content: off, default (metadata in pictures), or a YAML file.",
            discussion: "A file is read again when it changes, and on SIGHUP.", valueName: "labels"))
    package var labels: String = "default"

    @Option(
        help: ArgumentHelp(
            "A file of accounts: clients need a key of it then. `nephele keys create` makes both.",
            discussion: "Without it, everybody may come in.", valueName: "file"))
    package var accounts: String?

    @Option(
        help: ArgumentHelp(
            "A file in which responses, conversations, files and batches are kept for 30 days; off for nowhere.",
            discussion: "Without it, in the accounts file. `nephele up` without either keeps them until it ends.",
            valueName: "file"))
    package var state: String?

    @Flag(help: "Keeps requests and answers in the accounts file, for feedback and `nephele export`.")
    package var record = false

    @Flag(help: "Lets clients load and unload LoRA adapters: /v1/load_lora_adapter, /v1/unload_lora_adapter.")
    package var allowAdapterUpdates = false

    @Flag(help: "Lets clients have models loaded again: POST /admin/models/NAME/reload.")
    package var allowReload = false

    package init() {}

    package func validate() throws {
        guard (0...65_535).contains(port) else { throw ValidationError("--port is \(port); give 0 to 65535") }
    }
}
