import Foundation

/// A command line, completed with what the environment and the configuration file give. A flag counts before the
/// environment, the environment before the file, and the file before the default.
package struct ConfiguredArguments: Sendable {
    /// Everything that ArgumentParser is to read.
    package private(set) var arguments: [String]
    /// The options that the environment or the file gave.
    private(set) var settings: [ConfigurationSetting] = []
    private var given: Set<String>

    /// - Parameters:
    ///   - arguments: the command line's, without the program.
    ///   - sections: where the options may come from.
    ///   - alternatives: sets of options that exclude each other: what one source gives hides the others of a later source.
    /// - Throws: `ConfigurationError` that names the file and the line, or the variable.
    package init(
        _ arguments: [String], sections: [ConfigurationSection], alternatives: [[String]] = [],
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws {
        self.arguments = arguments
        let flags = CommandLineFlags(arguments)
        given = flags.names
        guard given.isDisjoint(with: ["help", "version"]), !arguments.contains("-h") else { return }
        for section in sections where section.readsEnvironment {
            fill(try section.settings(in: environment), alternatives)
        }
        let file = flags.last(ConfigurationOption.name) ?? environment[ConfigurationOption.variable]
        if let file, !file.isEmpty {
            for settings in try ConfigurationSection.settings(in: file, of: sections) { fill(settings, alternatives) }
        }
    }

    private mutating func fill(_ settings: [ConfigurationSetting], _ alternatives: [[String]]) {
        for setting in settings {
            let name = setting.option.name
            let hiding = alternatives.filter { $0.contains(name) }.joined()
            guard !given.contains(name), given.isDisjoint(with: hiding) else { continue }
            given.insert(name)
            self.settings.append(setting)
            arguments += setting.arguments
        }
    }

    /// The places of those settings that an error message names.
    package func places(in message: String) -> [String] {
        settings.filter { message.contains("--\($0.option.name)") }.map {
            "\($0.place): --\($0.option.name) is set here"
        }
    }
}

/// An option's value that is no flag, and where it stands.
struct ConfigurationSetting: Sendable {
    let option: ConfigurableOption
    /// One for an option that is not repeated; none for a flag that is off.
    let arguments: [String]
    /// `nephele.yaml:3:9`, or the variable.
    let place: String

    /// - Parameter isOn: of a flag.
    init(_ option: ConfigurableOption, isOn: Bool, at place: String) {
        (self.option, self.place) = (option, place)
        arguments = isOn ? ["--" + option.name] : []
    }

    /// - Parameter values: of an option that is no flag.
    init(_ option: ConfigurableOption, _ values: [String], at place: String) {
        (self.option, self.place) = (option, place)
        // With «=», a value may begin with a dash.
        arguments = values.map { "--\(option.name)=\($0)" }
    }
}

/// The flags of a command line.
package struct CommandLineFlags {
    private let flags: [(name: String, tokens: [String])]

    /// - Parameter arguments: without the program.
    package init(_ arguments: [String]) {
        var flags: [(name: String, tokens: [String])] = []
        for argument in arguments.prefix(while: { $0 != "--" }) {
            if argument.hasPrefix("--") {
                let name = argument.dropFirst(2).prefix { $0 != "=" }
                flags.append((String(name), [argument]))
            } else if !flags.isEmpty {
                flags[flags.count - 1].tokens.append(argument)
            }
        }
        self.flags = flags
    }

    var names: Set<String> { Set(flags.map(\.name)) }

    /// The last value that is given for an option.
    func last(_ name: String) -> String? {
        guard let tokens = flags.last(where: { $0.name == name })?.tokens else { return nil }
        if tokens.count > 1 { return tokens[1] }
        return tokens[0].firstIndex(of: "=").map { String(tokens[0][$0...].dropFirst()) }
    }

    /// The flags among these options as they are given, for a program that this one starts.
    package func arguments(of options: [ConfigurableOption]) -> [String] {
        let names = Set(options.map(\.name))
        return flags.filter { names.contains($0.name) }.flatMap(\.tokens)
    }
}
