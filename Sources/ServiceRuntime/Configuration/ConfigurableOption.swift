package import ArgumentParser
import Foundation

/// An option of a program, as its declaration says it: one name for the flag, the environment and the file.
package struct ConfigurableOption: Sendable, Equatable {
    /// Without dashes in front; the key in a file: `cache-precision`.
    package let name: String
    /// Whether it takes no value.
    package let isFlag: Bool
    /// Whether it may be given several times.
    package let isRepeating: Bool

    /// The variable that gives it: `NEPHELE_CACHE_PRECISION`.
    package var variable: String {
        Self.variables[name] ?? "NEPHELE_" + name.uppercased().replacingOccurrences(of: "-", with: "_")
    }

    private static let variables = [
        "cache-dir": "NEPHELE_CACHE",
        // Kubernetes sets NEPHELE_PORT, to an address, beside a service that is called nephele.
        "port": "NEPHELE_HTTP_PORT",
    ]

    /// The options that a command, or a group of options, declares.
    package static func declared(by arguments: any ParsableArguments.Type) -> [ConfigurableOption] {
        let help = try? JSONDecoder().decode(Help.self, from: Data(arguments._dumpHelp().utf8))
        return (help?.command.arguments ?? []).compactMap { argument in
            guard argument.kind != "positional",
                let name = argument.names?.first(where: { $0.kind == "long" })?.name,
                name != "help", name != "version", name != ConfigurationOption.name
            else { return nil }
            return ConfigurableOption(name: name, isFlag: argument.kind == "flag", isRepeating: argument.isRepeating)
        }
    }

    /// What ArgumentParser tells of a command (its «tool info», version 0), as far as it is read here.
    private struct Help: Decodable {
        struct Command: Decodable {
            var arguments: [Argument]?
        }
        struct Argument: Decodable {
            struct Name: Decodable {
                var kind: String
                var name: String
            }
            var kind: String
            var names: [Name]?
            var isRepeating: Bool
        }
        var command: Command
    }
}

/// The option that names the configuration file.
package struct ConfigurationOption: ParsableArguments {
    static let name = "configuration"
    static let variable = "NEPHELE_CONFIGURATION"

    @Option(
        help: ArgumentHelp(
            "A YAML file with options, a section for each program; NEPHELE_CONFIGURATION by default.",
            discussion: """
                A flag counts before its variable in the environment (--bus-keys: NEPHELE_BUS_KEYS), that before the file, \
                and the file before the default.
                """, valueName: "file"))
    package var configuration: String?

    package init() {}
}
