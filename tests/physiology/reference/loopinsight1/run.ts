// 12 h from midnight, RK4 at 0.1 min: insulin bolus 4 U at 60 min, glucagon at 240 min within one minute
import { UvaPadova_T1DMS } from './src/core/models/UvaPadova_T1DMS.js'
import { UvaPadova_Visentin2015 } from './src/core/models/UvaPadova_Visentin2015.js'
import { ODEPatientMixin } from './src/core/AbstractODEPatient.js'
const names = ["Gp","Gt","Ip","Il","Isc1","Isc2","X","I_","XL","H","XH","SRHs","Hsc1","Hsc2","Gs"]
for (const [label, cls] of [["T1DMS", UvaPadova_T1DMS], ["Visentin2015", UvaPadova_Visentin2015]] as any) {
  const m: any = new cls({})
  const t0 = new Date(2024, 6, 20, 0, 0, 0).valueOf()
  const mixin: any = new ODEPatientMixin(m)
  const iir = mixin.computeIIR(100, new Date(t0))
  let x: any = m.computeSteadyState({ iir }, new Date(t0))
  console.log("# " + label + " iir_U_per_h " + iir + " Ip " + x.Ip)
  console.log("model,minute," + names.join(","))
  const h = 0.1
  const f = (t: number, y: any, u: any) => m.computeDerivatives(new Date(t0 + Math.round(t*60e3)), y, u)
  const add = (y: any, k: any, s: number) => { const z: any = {}; for (const n in y) z[n] = y[n] + s*(k[n] ?? 0); return z }
  for (let i = 0; i <= 7200; i++) {
    const t = i*h, minute = Math.floor(t + 1e-9)
    if (i % 300 == 0) console.log(label + "," + minute + "," + names.map(n => x[n]).join(","))
    const u: any = { iir: iir + (minute == 60 ? 4*60 : 0), hir: minute == 240 ? 200 : 0 }
    const k1 = f(t, x, u), k2 = f(t+h/2, add(x,k1,h/2), u), k3 = f(t+h/2, add(x,k2,h/2), u), k4 = f(t+h, add(x,k3,h), u)
    const y: any = {}
    for (const n in x) y[n] = x[n] + h/6*((k1[n]??0)+2*(k2[n]??0)+2*(k3[n]??0)+(k4[n]??0))
    x = y
  }
}
