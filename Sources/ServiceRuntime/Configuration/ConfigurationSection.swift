package import ArgumentParser
import ConfigurationFiles

/// Options, and the section of the configuration file in which they stand.
package struct ConfigurationSection: Sendable {
    /// All sections that a file may have: one for each program.
    package static let names = ["up", "gateway", "tokenizer", "text-model", "diffusion", "trainer"]

    package let name: String
    package let options: [ConfigurableOption]
    /// Whether these are all options of the section, so that another key in it is refused.
    let isWhole: Bool
    /// Whether the environment may give them.
    let readsEnvironment: Bool

    /// - Parameters:
    ///   - arguments: the command or group that declares the options.
    ///   - excluded: options of the command that stand in other sections.
    package init(
        _ name: String, _ arguments: any ParsableArguments.Type, except excluded: [ConfigurableOption] = [],
        isWhole: Bool = true, readsEnvironment: Bool = true
    ) {
        precondition(Self.names.contains(name), "\(name) is no section of a configuration file")
        self.name = name
        options = ConfigurableOption.declared(by: arguments).filter { !excluded.contains($0) }
        (self.isWhole, self.readsEnvironment) = (isWhole, readsEnvironment)
    }

    // MARK: Environment

    /// A variable that is empty, as compose files leave it, gives nothing. One of a repeated option separates values by
    /// commas.
    ///
    /// - Throws: `ConfigurationError` that names the variable.
    func settings(in environment: [String: String]) throws -> [ConfigurationSetting] {
        try options.compactMap { option in
            guard let value = environment[option.variable], !value.isEmpty else { return nil }
            if option.isFlag {
                guard let isOn = Self.truths[value.lowercased()] else {
                    throw ConfigurationError(file: option.variable, "'\(value.prefix(40))' is neither true nor false")
                }
                return ConfigurationSetting(option, isOn: isOn, at: option.variable)
            }
            let values = option.isRepeating ? value.split(separator: ",").map { String($0) } : [value]
            return ConfigurationSetting(option, values, at: option.variable)
        }
    }

    private static let truths = [
        "true": true, "yes": true, "on": true, "1": true, "false": false, "no": false, "off": false, "0": false,
    ]

    // MARK: File

    /// What a configuration file gives, section by section.
    ///
    /// - Throws: `ConfigurationError` that names the line: of an unknown section or key, or a value of the wrong type.
    static func settings(
        in file: String, of sections: [ConfigurationSection]
    ) throws -> [[ConfigurationSetting]] {
        guard let document = try YAMLValue.parse(try YAMLValue.text(of: file), file: file), !document.isEmpty else {
            return []
        }
        let fields = try document.fields(names, suggesting: true)
        return try sections.map { section in
            guard let value = fields[section.name], !value.isEmpty else { return [] }
            return try section.settings(in: value)
        }
    }

    private func settings(in section: YAMLValue) throws -> [ConfigurationSetting] {
        let known = Dictionary(options.map { ($0.name, $0) }) { first, _ in first }
        if isWhole { _ = try section.fields(options.map(\.name), suggesting: true) }
        return try section.entries().compactMap { name, value in
            guard let option = known[try name.string("an option")] else { return nil }
            if option.isFlag {
                guard let isOn = Self.truths[try value.string("true or false").lowercased()] else {
                    throw value.error("'\(try value.string().prefix(40))' is neither true nor false")
                }
                return ConfigurationSetting(option, isOn: isOn, at: value.place)
            }
            guard option.isRepeating || value.isScalar else { throw value.error("one value is expected here") }
            let values = try value.oneOrMany().map { try $0.string("a value") }
            return ConfigurationSetting(option, values, at: value.place)
        }
    }
}
