import ArgumentParser

struct TrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train", abstract: "Trains models from scratch.", subcommands: [TrainTextCommand.self])
}
