"""What is read from a genome: genotypes, pharmacogenes by CPIC, polygenic scores.

LOINC names the phenotype of five genes ("... gene product metabolic activity interpretation ... by CPIC"): 79716-7 stands in
HL7's own example (hl7.org/fhir, observation-example-phenotype), 79713-4 in a public list of TPMT tests, 79714-2, 79715-9 and
79719-1 in one third party's list of codes of the HL7 Genomics Reporting guide only. The guide's code of a diplotype (84413-4,
genotype display name) is the same for every gene, so that it names no quantity here. The other codes are none that was found.
"""

from medtwin.quantities.quantity import Kind, Quantity

#: gene -> (LOINC of its phenotype, whether CPIC gives it an activity score)
PHARMACOGENES = {
    "CYP2C19": (("79714-2",), False), "CYP2C9": (("79716-7",), True), "CYP2D6": (("79715-9",), True), "SLCO1B1": ((), False),
    "DPYD": (("79719-1",), True), "TPMT": (("79713-4",), False), "NUDT15": ((), False), "VKORC1": ((), False),
    "CYP3A5": ((), False), "UGT1A1": ((), False),
}  # fmt: skip

QUANTITIES = (
    Quantity(name="genotype", meaning="Genotype at one position of the genome", kind=Kind.CODE),
    Quantity(name="polygenic_score", meaning="Raw sum of a polygenic score, in the score's own unit", unit="1",
             source="PGS Catalog scoring file format 2.0"),
    Quantity(name="polygenic_score_coverage", meaning="Share of a polygenic score's variants that were read", unit="%", low=0,
             high=100),
    *(Quantity(name=f"{gene.lower()}_diplotype", meaning=f"The two alleles of {gene}, by CPIC's definitions", kind=Kind.CODE)
      for gene in PHARMACOGENES),
    *(Quantity(name=f"{gene.lower()}_phenotype", meaning=f"What the two alleles of {gene} do, by CPIC's tables", kind=Kind.CODE,
               loinc=loinc) for gene, (loinc, _) in PHARMACOGENES.items()),
    *(Quantity(name=f"{gene.lower()}_activity_score", meaning=f"Sum of the activity values of both alleles of {gene}, by CPIC",
               unit="1", low=0, high=10, source="CPIC allele functionality tables") for gene, (_, scored) in PHARMACOGENES.items()
      if scored),
)  # fmt: skip
