import ArgumentParser
import TextModels

extension Precision: ExpressibleByArgument {}
