package import ArgumentParser
import Foundation

/// A program whose options may be given by flags, the environment and a YAML file. Each is declared once, as an option of
/// ArgumentParser: its long name is the flag, the key in the file and, in capitals behind `NEPHELE_`, the variable.
package protocol ConfigurableCommand: AsyncParsableCommand {
    /// Where its options come from.
    static var sections: [ConfigurationSection] { get }
    /// Sets of options that exclude each other.
    static var alternatives: [[String]] { get }
}

extension ConfigurableCommand {
    package static var alternatives: [[String]] { [] }

    /// The program's start.
    package static func main() async { await start(Array(CommandLine.arguments.dropFirst()), of: Self.self) }

    /// Parses the arguments, completed, and runs the command; ends the process where they are wrong.
    ///
    /// - Parameters:
    ///   - arguments: behind the command's name.
    ///   - root: the program's command, of which this one may be a subcommand.
    ///   - path: this command's name within it.
    package static func start(
        _ arguments: [String], of root: any ParsableCommand.Type, path: [String] = []
    ) async {
        do {
            let configured = try ConfiguredArguments(arguments, sections: sections, alternatives: alternatives)
            var command: any ParsableCommand
            do { command = try root.parseAsRoot(path + configured.arguments) } catch {
                for place in configured.places(in: root.message(for: error)) {
                    FileHandle.standardError.write(Data((place + "\n").utf8))
                }
                throw error
            }
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            root.exit(withError: error)
        }
    }
}
